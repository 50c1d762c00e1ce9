# A fixed address for a host with one wired interface.
{ config, lib, ... }:
let
  inherit (import ../settings.nix) network;
  address = network.addresses.${config.networking.hostName};
in
{
  networking.useDHCP = false;
  networking.useNetworkd = true;
  systemd.network.networks."10-wired" = {
    matchConfig.Type = "ether";
    # Bridges and containers have ethernet interfaces, too.
    matchConfig.Kind = "!*";
    address = [ "${address}/${toString network.prefixLength}" ];
    gateway = [ network.gateway ];
    dns = lib.mkDefault [
      network.addresses.dex5550
      "9.9.9.9"
    ];
  };
}
