{ config, lib, pkgs, ... }:
{
  options.homelab.wifi.networks = lib.mkOption {
    type = lib.types.listOf lib.types.str;
    default = [ ];
    description = "Known wireless networks.";
  };
  config = {
    environment.systemPackages = [ pkgs.iwd ];
    environment.etc."iwd/known".text = lib.concatLines config.homelab.wifi.networks;
  };
}
