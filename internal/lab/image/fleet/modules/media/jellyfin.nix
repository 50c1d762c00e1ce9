# The site is copied to the store as it stands.
{ pkgs, ... }:
{
  environment.systemPackages = with pkgs; [
    jellyfin
    jellyfin-web
  ];
  systemd.services.jellyfin = {
    description = "Media server";
    wantedBy = [ "multi-user.target" ];
    after = [ "network.target" ];
    path = [ pkgs.tiny-httpd ];
    script = "exec tiny-httpd 8096 ${../../site}/index.html";
    serviceConfig.Restart = "on-failure";
  };
  networking.firewall.allowedTCPPorts = [ 8096 ];
}
