{ pkgs, ... }:
{
  environment.systemPackages = [ pkgs.smartmontools ];
  systemd.services.smartd = {
    description = "Disk health";
    wantedBy = [ "multi-user.target" ];
    script = "exec sleep infinity";
  };
}
