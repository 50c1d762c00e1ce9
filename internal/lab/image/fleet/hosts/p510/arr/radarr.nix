{ pkgs, ... }:
{
  environment.systemPackages = [ pkgs.radarr ];
  systemd.services.radarr = {
    description = "Films";
    wantedBy = [ "multi-user.target" ];
    path = [ pkgs.radarr ];
    script = ''
      radarr > "$RUNTIME_DIRECTORY/version"
      exec sleep infinity
    '';
    serviceConfig.RuntimeDirectory = "homelab-radarr";
  };
}
