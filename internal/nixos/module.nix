# NixOS module: Flotilla's exporter, its alert rules in Prometheus, its dashboard in
# Grafana. docs/monitoring.md shows a host that has all three.
{
  config,
  lib,
  pkgs,
  utils,
  ...
}:
let
  inherit (lib) mkEnableOption mkIf mkOption types;
  cfg = config.services.flotilla;
  exporter = cfg.exporter;
  name = "flotilla-exporter";
  key = "/run/credentials/${name}.service/ssh-key";
  address =
    if lib.hasInfix ":" exporter.listenAddress then "[${exporter.listenAddress}]" else exporter.listenAddress;
in
{
  options.services.flotilla = {
    exporter = {
      enable = mkEnableOption "Flotilla's exporter, which asks the hosts of a fleet at every scrape";
      package = mkOption {
        type = types.package;
        default = pkgs.callPackage ./package.nix { };
        defaultText = lib.literalMD "the package of Flotilla's flake";
        description = "The program to run: this one, or one's own targets from `mage -compile`.";
      };
      directory = mkOption {
        type = types.str;
        example = "/srv/fleet";
        description = ''
          The fleet's checkout, with flake.nix and fleet.toml. The service reads it as a
          user of its own, and sees neither /home nor /root. What hosts are to run is
          what the flake says there.
        '';
      };
      sshKeyFile = mkOption {
        type = types.nullOr (types.addCheck types.str (lib.hasPrefix "/"));
        default = null;
        example = "/var/lib/secrets/flotilla-exporter";
        description = ''
          A private ssh key without a passphrase that the hosts know, for root alone to
          read; the service gets it as a credential. It can do on the hosts what the user
          in fleet.toml can. null means that {file}`/etc/ssh/ssh_config` names one.

          Host keys are those of {option}`programs.ssh.knownHosts`.
        '';
      };
      selector = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "@server";
        description = "The hosts to ask; null means all.";
      };
      hostsOnly = mkOption {
        type = types.bool;
        default = false;
        description = "Whether to ask the hosts only, and not what the flake wants. There is no drift then, and nothing is evaluated.";
      };
      listenAddress = mkOption {
        type = types.str;
        default = "127.0.0.1";
        description = "The address to listen on, in plain HTTP and for whoever can reach it.";
      };
      port = mkOption {
        type = types.port;
        default = 9479;
        description = "The port to listen on.";
      };
      openFirewall = mkOption {
        type = types.bool;
        default = false;
        description = "Whether to open the port in the firewall.";
      };
    };

    prometheus = {
      enable = mkEnableOption "Flotilla's alert rules and scrape configurations in this host's Prometheus";
      exporters = mkOption {
        type = types.listOf types.str;
        default = lib.optional exporter.enable "${address}:${toString exporter.port}";
        defaultText = lib.literalMD "that of this host, if it has one";
        description = "Flotilla's exporters to scrape, as ADDRESS:PORT.";
      };
      scrapeInterval = mkOption {
        type = types.str;
        default = "1m";
        description = "How often the hosts are asked. Each time is one ssh session and one command for each host.";
      };
      scrapeTimeout = mkOption {
        type = types.str;
        default = "30s";
        description = "How long the hosts have to answer, and the flake to be evaluated if it has changed.";
      };
      pushgateway = mkOption {
        type = types.bool;
        default = false;
        description = "Whether to run a Pushgateway here for those who deploy (`metrics.pushgateway` in fleet.toml).";
      };
    };

    grafana.enable = mkEnableOption "Flotilla's dashboard in this host's Grafana";
  };

  config = lib.mkMerge [
    (mkIf exporter.enable {
      assertions = [
        {
          assertion = lib.hasPrefix "/" exporter.directory && !lib.any (d: lib.hasPrefix d exporter.directory) [ "/home/" "/root/" ];
          message = "services.flotilla.exporter.directory must be an absolute path outside of /home and /root";
        }
      ];
      networking.firewall.allowedTCPPorts = mkIf exporter.openFirewall [ exporter.port ];
      # Whatever follows would belong to the match: it comes last.
      programs.ssh.extraConfig = mkIf (exporter.sshKeyFile != null) (
        lib.mkAfter ''
          Match localuser ${name}
            IdentityFile ${key}
            IdentitiesOnly yes
        ''
      );
      systemd.services.${name} = {
        description = "Flotilla's exporter for Prometheus";
        wantedBy = [ "multi-user.target" ];
        wants = [ "network-online.target" ];
        after = [ "network-online.target" ];
        path = [
          config.nix.package
          config.programs.ssh.package
          pkgs.gitMinimal
        ];
        environment = {
          HOME = "/var/lib/${name}";
          XDG_CACHE_HOME = "/var/cache/${name}";
          XDG_RUNTIME_DIR = "/run/${name}";
          XDG_STATE_HOME = "/var/lib/${name}";
          # The checkout is another user's. Nix reads no other of Git's variables.
          XDG_CONFIG_HOME = pkgs.writeTextDir "git/config" ''
            [safe]
              directory = ${exporter.directory}
          '';
        };
        serviceConfig = {
          ExecStart = utils.escapeSystemdExecArgs (
            [
              (lib.getExe' exporter.package "flotilla")
              "metrics"
              "-serve=${address}:${toString exporter.port}"
            ]
            ++ lib.optional (exporter.selector != null) "-on=${exporter.selector}"
            ++ lib.optional exporter.hostsOnly "-fast"
          );
          WorkingDirectory = exporter.directory;
          LoadCredential = lib.optional (exporter.sshKeyFile != null) "ssh-key:${exporter.sshKeyFile}";
          Restart = "on-failure";
          RestartSec = 10;
          DynamicUser = true;
          User = name;
          CacheDirectory = name;
          CacheDirectoryMode = "0700";
          RuntimeDirectory = name;
          RuntimeDirectoryMode = "0700";
          StateDirectory = name;
          StateDirectoryMode = "0700";
          UMask = "0077";

          # Evaluating needs a stack and a heap; nothing here needs to be privileged.
          AmbientCapabilities = "";
          CapabilityBoundingSet = "";
          DevicePolicy = "closed";
          LockPersonality = true;
          MemoryDenyWriteExecute = true;
          PrivateDevices = true;
          PrivateUsers = true;
          ProtectClock = true;
          ProtectControlGroups = true;
          ProtectHome = true;
          ProtectHostname = true;
          ProtectKernelLogs = true;
          ProtectKernelModules = true;
          ProtectKernelTunables = true;
          ProtectProc = "invisible";
          RestrictAddressFamilies = [
            "AF_INET"
            "AF_INET6"
            "AF_NETLINK"
            "AF_UNIX"
          ];
          RestrictNamespaces = true;
          RestrictRealtime = true;
          SystemCallArchitectures = "native";
          SystemCallErrorNumber = "EPERM";
          SystemCallFilter = [
            "@system-service"
            "~@privileged"
          ];
        };
      };
    })

    (mkIf cfg.prometheus.enable {
      services.prometheus = {
        ruleFiles = [ (pkgs.writeText "flotilla-rules.yml" (builtins.readFile ../metrics/rules.yml)) ];
        pushgateway = mkIf cfg.prometheus.pushgateway {
          enable = true;
          # Or a restart would forget who failed until the next deployment.
          persistMetrics = lib.mkDefault true;
        };
        scrapeConfigs =
          lib.optional (cfg.prometheus.exporters != [ ]) {
            # The rules know the exporters by this name.
            job_name = "flotilla";
            scrape_interval = cfg.prometheus.scrapeInterval;
            scrape_timeout = cfg.prometheus.scrapeTimeout;
            static_configs = [ { targets = cfg.prometheus.exporters; } ];
          }
          ++ lib.optional cfg.prometheus.pushgateway {
            job_name = "flotilla-pushgateway";
            # It tells who pushed.
            honor_labels = true;
            static_configs = [ { targets = [ "127.0.0.1:9091" ]; } ];
          };
      };
    })

    (mkIf cfg.grafana.enable {
      services.grafana.provision = {
        enable = true;
        dashboards.settings.providers = [
          {
            name = "flotilla";
            options.path = pkgs.writeTextDir "flotilla.json" (builtins.readFile ../metrics/dashboard.json);
          }
        ];
      };
    })
  ];
}
