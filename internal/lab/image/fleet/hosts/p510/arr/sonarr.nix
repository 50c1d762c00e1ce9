{ pkgs, ... }:
{
  environment.systemPackages = [ pkgs.sonarr ];
  systemd.services.sonarr = {
    description = "Series";
    wantedBy = [ "multi-user.target" ];
    path = [ pkgs.sonarr ];
    script = ''
      sonarr > "$RUNTIME_DIRECTORY/version"
      exec sleep infinity
    '';
    serviceConfig.RuntimeDirectory = "homelab-sonarr";
  };
}
