{
  imports = [
    ./backlight.nix
    ./power.nix
  ];
}
