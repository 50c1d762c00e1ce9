{ pkgs, ... }:
{
  environment.systemPackages = [ pkgs.qbittorrent ];
  systemd.services.qbittorrent = {
    description = "Downloads";
    wantedBy = [ "multi-user.target" ];
    path = [ pkgs.qbittorrent ];
    script = ''
      qbittorrent > "$RUNTIME_DIRECTORY/version"
      exec sleep infinity
    '';
    serviceConfig.RuntimeDirectory = "homelab-qbittorrent";
  };
}
