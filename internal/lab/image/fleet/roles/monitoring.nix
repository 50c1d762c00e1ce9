{
  imports = [
    ../modules/monitoring/alerts.nix
    ../modules/monitoring/grafana.nix
    ../modules/monitoring/prometheus.nix
  ];
}
