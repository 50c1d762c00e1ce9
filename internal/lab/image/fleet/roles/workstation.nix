{
  imports = [
    ../modules/desktop
    ../modules/hardware/firmware.nix
    ../modules/hardware/smart.nix
    ../modules/network/tailscale.nix
  ];
  homelab.tailscale.enable = true;
}
