{ config, pkgs, ... }:
{
  environment.systemPackages = with pkgs; [
    alertmanager
    prometheus
  ];
  environment.etc."prometheus/prometheus.yml".text = builtins.readFile ../../data/prometheus.yml;
  systemd.services.prometheus = {
    description = "Prometheus";
    wantedBy = [ "multi-user.target" ];
    path = [ pkgs.tiny-httpd ];
    script = "exec tiny-httpd 9090 /etc/prometheus/prometheus.yml";
    restartTriggers = [ config.environment.etc."prometheus/prometheus.yml".source ];
    serviceConfig.Restart = "on-failure";
  };
  networking.firewall.allowedTCPPorts = [ 9090 ];
}
