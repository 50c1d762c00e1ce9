{
  imports = [
    ../modules/hardware/smart.nix
    ../modules/network/tailscale.nix
    ../modules/server
  ];
  homelab.tailscale.enable = true;
}
