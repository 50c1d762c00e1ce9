{ config, pkgs, ... }:
{
  environment.systemPackages = [ pkgs.prometheus-node-exporter ];
  environment.etc."homelab/metrics".text = ''
    # HELP homelab_host_info The host.
    # TYPE homelab_host_info gauge
    homelab_host_info{host="${config.networking.hostName}"} 1
  '';
  systemd.services.node-exporter = {
    description = "Metrics of this host";
    wantedBy = [ "multi-user.target" ];
    path = [ pkgs.tiny-httpd ];
    script = "exec tiny-httpd 9100 /etc/homelab/metrics";
    serviceConfig.Restart = "on-failure";
  };
  networking.firewall.allowedTCPPorts = [ 9100 ];
}
