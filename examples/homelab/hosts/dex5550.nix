# Small server with Intel graphics: DNS, monitoring, and the way into the
# network from outside.
{ config, lib, ... }:
let
  inherit (import ../settings.nix) network;
  hosts = lib.attrNames network.addresses;
in
{
  imports = [ ../modules/static-address.nix ];

  networking.hostName = "dex5550";
  nixpkgs.hostPlatform = "x86_64-linux";
  system.stateVersion = "25.05";

  boot = {
    initrd.availableKernelModules = [
      "ahci"
      "nvme"
      "xhci_pci"
    ];
    kernelModules = [ "kvm-intel" ];
  };
  hardware = {
    cpu.intel.updateMicrocode = true;
    enableRedistributableFirmware = true;
    graphics.enable = true;
  };

  services.tailscale = {
    useRoutingFeatures = "server";
    extraSetFlags = [
      "--advertise-exit-node"
      "--advertise-routes=192.168.1.0/24"
    ];
  };

  # One resolver: this host asks its own server.
  services.resolved.enable = false;
  services.unbound = {
    enable = true;
    settings = {
      server = {
        interface = [
          "127.0.0.1"
          network.addresses.dex5550
        ];
        access-control = [
          "127.0.0.0/8 allow"
          "192.168.1.0/24 allow"
        ];
        local-zone = [ ''"home." static'' ];
        local-data = lib.concatLists (
          lib.mapAttrsToList (name: address: [
            ''"${name}. IN A ${address}"''
            ''"${name}.home. IN A ${address}"''
          ]) network.addresses
        );
      };
      forward-zone = [
        {
          name = ".";
          forward-tls-upstream = true;
          forward-addr = [ "9.9.9.9@853#dns.quad9.net" ];
        }
      ];
    };
  };

  services.prometheus = {
    enable = true;
    port = 9090;
    retentionTime = "90d";
    scrapeConfigs = [
      {
        job_name = "node";
        static_configs = [
          { targets = map (host: "${host}:${toString config.services.prometheus.exporters.node.port}") hosts; }
        ];
      }
    ];
    rules = [
      (builtins.toJSON {
        groups = [
          {
            name = "fleet";
            rules = [
              {
                alert = "HostDown";
                expr = ''up{job="node"} == 0'';
                for = "5m";
              }
              {
                alert = "UnitFailed";
                expr = ''node_systemd_unit_state{state="failed"} == 1'';
                for = "5m";
              }
            ];
          }
        ];
      })
    ];
  };

  services.grafana = {
    enable = true;
    settings = {
      server = {
        http_addr = "0.0.0.0";
        http_port = 3001;
        domain = "dex5550";
      };
      # Made once on the host, never in the store; see README.md.
      security.secret_key = "$__file{/var/lib/secrets/grafana.secret}";
    };
    provision = {
      enable = true;
      datasources.settings.datasources = [
        {
          name = "Prometheus";
          type = "prometheus";
          url = "http://127.0.0.1:${toString config.services.prometheus.port}";
          isDefault = true;
        }
      ];
      dashboards.settings.providers = [
        {
          name = "fleet";
          options.path = ../dashboards;
        }
      ];
    };
  };

  networking.firewall = {
    allowedTCPPorts = [
      53
      3001
      9090
    ];
    allowedUDPPorts = [ 53 ];
  };
}
