{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.networking;
in
{
  options.networking = {
    hostName = mkOption {
      type = types.str;
      default = "";
      description = ''
        Name of the host. The miniature does not set it: the lab names its
        machines when it starts them.
      '';
    };
    mainInterface = mkOption {
      type = types.str;
      default = "host0";
      description = "Interface that every activation brings up.";
    };
    mainInterfaceState = mkOption {
      type = types.enum [ "up" "down" ];
      default = "up";
      description = "Set to \"down\" for a configuration that cuts its own network.";
    };
    firewall.allowedTCPPorts = mkOption {
      type = types.listOf types.port;
      default = [ ];
      description = "Ports listed in /etc/nftables.conf. The miniature filters nothing.";
    };
  };

  config = {
    # Every system brings the link up, so that going back to one from a system
    # that cut it restores the connection.
    system.activationScripts.network = {
      deps = [ "etc" ];
      text = ''
        # Not /sys, which is that of the machine the lab runs on.
        if ip link show dev ${lib.escapeShellArg cfg.mainInterface} >/dev/null 2>&1; then
          ip link set dev ${lib.escapeShellArg cfg.mainInterface} ${cfg.mainInterfaceState}
        fi
      '';
    };

    environment.etc."nftables.conf".text = ''
      table inet filter {
        chain input {
          type filter hook input priority 0; policy drop;
          tcp dport { ${
            lib.concatMapStringsSep ", " toString (
              builtins.sort builtins.lessThan (lib.unique ([ 22 ] ++ cfg.firewall.allowedTCPPorts))
            )
          } } accept
        }
      }
    '';
  };
}
