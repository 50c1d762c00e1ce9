{ pkgs, ... }:
{
  environment.systemPackages = [ pkgs.restic ];
  systemd.services.backup = {
    description = "Backup";
    script = ''date +%s > "$STATE_DIRECTORY/last"'';
    serviceConfig = {
      Type = "oneshot";
      StateDirectory = "homelab-backup";
    };
  };
  systemd.timers.backup = {
    description = "Nightly backup";
    wantedBy = [ "timers.target" ];
    timerConfig = {
      OnCalendar = "03:30";
      Persistent = true;
    };
  };
}
