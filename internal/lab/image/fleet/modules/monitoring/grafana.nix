{ pkgs, ... }:
{
  environment.systemPackages = [ pkgs.grafana ];
  environment.etc."grafana/dashboards/fleet.json".text = builtins.readFile ../../data/dashboards/fleet.json;
  systemd.services.grafana = {
    description = "Grafana";
    wantedBy = [ "multi-user.target" ];
    after = [ "prometheus.service" ];
    path = [ pkgs.tiny-httpd ];
    script = "exec tiny-httpd 3001 /etc/grafana/dashboards/fleet.json";
    serviceConfig.Restart = "on-failure";
  };
  networking.firewall.allowedTCPPorts = [ 3001 ];
}
