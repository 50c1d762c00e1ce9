{ config, lib, pkgs, ... }:
let
  cfg = config.homelab.tailscale;
in
{
  options.homelab.tailscale = {
    enable = lib.mkEnableOption "the mesh network";
    exitNode = lib.mkEnableOption "offering this host as an exit node";
    routes = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ ];
      description = "Subnets routed into the mesh.";
    };
  };

  config = lib.mkIf cfg.enable {
    environment.systemPackages = [ pkgs.tailscale ];
    systemd.services.tailscaled = {
      description = "Mesh network";
      wantedBy = [ "multi-user.target" ];
      environment = {
        EXIT_NODE = lib.boolToString cfg.exitNode;
        ROUTES = lib.concatStringsSep "," cfg.routes;
      };
      script = ''
        echo "exit node: $EXIT_NODE, routes: $ROUTES" > "$RUNTIME_DIRECTORY/state"
        exec sleep infinity
      '';
      serviceConfig.RuntimeDirectory = "homelab-tailscale";
      # Restarting the way in, while it is in use, would cut the switch off.
      stopIfChanged = false;
    };
  };
}
