# What a monitoring host with the module comes to, for module_test.go.
{ nixpkgs }:
let
  flake = (import ../../../flake.nix).outputs { };
  evaluate =
    module:
    (import (nixpkgs + "/nixos/lib/eval-config.nix") {
      system = "x86_64-linux";
      modules = [
        flake.nixosModules.default
        module
        (
          { lib, ... }:
          {
            boot.loader.grub.enable = false;
            fileSystems."/" = {
              device = "/dev/sda1";
              fsType = "ext4";
            };
            system.stateVersion = "26.05";
            documentation.enable = false;
            # What a cut-down nixpkgs may lack.
            nixpkgs.overlays = [ (final: _: { shellcheck-minimal = final.hello // { compiler.bootstrapAvailable = false; }; }) ];
            imports = [
              ({ lib, ... }: { options.virtualisation.hypervGuest.enable = lib.mkEnableOption "nothing"; })
              (nixpkgs + "/nixos/modules/services/monitoring/prometheus/default.nix")
              (nixpkgs + "/nixos/modules/services/monitoring/prometheus/pushgateway.nix")
            ];
          }
        )
      ];
    }).config;
  complaints = config: map (a: a.message) (builtins.filter (a: !a.assertion) config.assertions);

  all = evaluate {
    services.flotilla = {
      exporter = {
        enable = true;
        directory = "/srv/fleet";
        sshKeyFile = "/var/lib/secrets/flotilla-exporter";
        selector = "@server,!p510";
        openFirewall = true;
      };
      prometheus = {
        enable = true;
        pushgateway = true;
      };
      grafana.enable = true;
    };
    services.prometheus.enable = true;
    services.grafana = {
      enable = true;
      settings.security.secret_key = "$__file{/var/lib/secrets/grafana.secret}";
    };
    programs.ssh.extraConfig = "Compression no";
  };
  without = evaluate { };
  wrong = evaluate {
    services.flotilla.exporter = {
      enable = true;
      directory = "/home/ole/fleet";
    };
  };
  pkgs = import nixpkgs {
    system = "x86_64-linux";
    overlays = [ flake.overlays.default ];
  };
in
{
  complaints = complaints all;
  complaintsOfWrong = complaints wrong;
  toplevel = all.system.build.toplevel.drvPath;
  unit = all.systemd.units."flotilla-exporter.service".text;
  credential = all.systemd.services.flotilla-exporter.serviceConfig.LoadCredential;
  gitconfig = all.systemd.services.flotilla-exporter.environment.XDG_CONFIG_HOME.text;
  sshConfig = all.environment.etc."ssh/ssh_config".text;
  ports = all.networking.firewall.allowedTCPPorts;
  rules = map (f: f.text) all.services.prometheus.ruleFiles;
  scrapes = map (s: {
    inherit (s) job_name honor_labels scrape_timeout;
    targets = builtins.concatMap (c: c.targets) s.static_configs;
  }) all.services.prometheus.scrapeConfigs;
  pushgateway = { inherit (all.services.prometheus.pushgateway) enable persistMetrics; };
  dashboards = map (p: {
    inherit (p) name;
    inherit (p.options.path) text destination;
  }) all.services.grafana.provision.dashboards.settings.providers;
  nothing = {
    exporter = without.systemd.services ? flotilla-exporter;
    rules = without.services.prometheus.ruleFiles;
    scrapes = without.services.prometheus.scrapeConfigs;
    grafana = without.services.grafana.provision.enable;
    ssh = without.programs.ssh.extraConfig;
  };
  package = {
    drv = pkgs.flotilla.drvPath;
    inherit (pkgs.flotilla.goModules) outputHash;
    inherit (pkgs.flotilla.meta) mainProgram;
  };
}
