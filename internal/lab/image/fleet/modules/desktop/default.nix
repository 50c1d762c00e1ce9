{
  imports = [
    ./applications.nix
    ./compositor.nix
    ./fonts.nix
    ./sound.nix
  ];
}
