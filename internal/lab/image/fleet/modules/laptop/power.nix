{ config, lib, pkgs, ... }:
{
  options.homelab.power.profile = lib.mkOption {
    type = lib.types.enum [ "performance" "balanced" "saving" ];
    default = "balanced";
    description = "What the battery is for.";
  };
  config = {
    environment.systemPackages = with pkgs; [
      powertop
      tlp
    ];
    systemd.services.tlp = {
      description = "Power profile";
      wantedBy = [ "multi-user.target" ];
      environment.PROFILE = config.homelab.power.profile;
      script = ''echo "$PROFILE" > "$RUNTIME_DIRECTORY/profile"'';
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        RuntimeDirectory = "homelab-tlp";
      };
    };
  };
}
