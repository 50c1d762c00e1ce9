{ pkgs, ... }:
{
  environment.systemPackages = [ pkgs.nix ];

  systemd.services.nix-store-report = {
    description = "Count of the store's paths";
    script = ''
      ls /nix/store | wc -l > "$STATE_DIRECTORY/paths"
    '';
    serviceConfig = {
      Type = "oneshot";
      StateDirectory = "nix-store-report";
    };
  };
  systemd.timers.nix-store-report = {
    description = "Daily count of the store's paths";
    wantedBy = [ "timers.target" ];
    timerConfig.OnCalendar = "daily";
  };
}
