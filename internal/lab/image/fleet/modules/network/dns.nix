# Names of the local network.
{ config, lib, pkgs, ... }:
let
  cfg = config.homelab.dns;
in
{
  options.homelab.dns = {
    enable = lib.mkEnableOption "the DNS server";
    zone = lib.mkOption {
      type = lib.types.attrsOf lib.types.str;
      default = { };
      description = "Name and address of every host.";
    };
  };

  config = lib.mkIf cfg.enable {
    environment.systemPackages = [ pkgs.unbound ];
    environment.etc."unbound/home.zone".text = lib.concatLines (
      lib.mapAttrsToList (name: address: "${name}.home. IN A ${address}") cfg.zone
    );
    systemd.services.unbound = {
      description = "DNS server";
      wantedBy = [ "multi-user.target" ];
      before = [ "nss-lookup.target" ];
      script = ''
        wc -l < /etc/unbound/home.zone > "$RUNTIME_DIRECTORY/names"
        exec sleep infinity
      '';
      reload = ''wc -l < /etc/unbound/home.zone > "$RUNTIME_DIRECTORY/names"'';
      reloadIfChanged = true;
      reloadTriggers = [ config.environment.etc."unbound/home.zone".source ];
      serviceConfig.RuntimeDirectory = "homelab-unbound";
    };
    networking.firewall.allowedTCPPorts = [ 53 ];
  };
}
