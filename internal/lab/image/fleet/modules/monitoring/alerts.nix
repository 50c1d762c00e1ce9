{ lib, ... }:
let
  alert = name: expr: ''
    - alert: ${name}
      expr: ${expr}
      for: 5m
  '';
in
{
  environment.etc."prometheus/alerts.yml".text = lib.concatStringsSep "" [
    (alert "DeploymentFailed" "flotilla_deploy_failed > 0")
    (alert "HostDown" "up == 0")
  ];
}
