{
  imports = [
    ../modules/desktop
    ../modules/hardware/firmware.nix
    ../modules/laptop
    ../modules/network/tailscale.nix
    ../modules/network/wifi.nix
  ];
  homelab.tailscale.enable = true;
}
