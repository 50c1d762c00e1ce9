{ config, lib, ... }:
let
  cfg = config.lab;
in
{
  options.lab = {
    activationSeconds = lib.mkOption {
      type = lib.types.int;
      default = 0;
      description = "Seconds an activation takes longer.";
    };
    unitStartSeconds = lib.mkOption {
      type = lib.types.int;
      default = 0;
      description = "Seconds a unit takes to start.";
    };
  };
  config = {
    system.activationScripts = lib.mkIf (cfg.activationSeconds > 0) {
      labSlow = {
        deps = [ "etc" ];
        text = ''
          echo "sleeping ${toString cfg.activationSeconds} s"
          sleep ${toString cfg.activationSeconds}
        '';
      };
    };
    systemd.services = lib.mkIf (cfg.unitStartSeconds > 0) {
      lab-slow = {
        description = "A unit that takes long to start";
        wantedBy = [ "multi-user.target" ];
        script = "sleep ${toString cfg.unitStartSeconds}";
        serviceConfig = {
          Type = "oneshot";
          RemainAfterExit = true;
        };
      };
    };
  };
}
