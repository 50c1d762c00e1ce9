{
  imports = [
    ./jellyfin.nix
    ./library.nix
    ./transcode.nix
  ];
}
