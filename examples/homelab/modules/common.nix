# What every host has.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  settings = import ../settings.nix;
in
{
  imports = [ ./cache-client.nix ];

  nix = {
    settings = {
      experimental-features = [
        "nix-command"
        "flakes"
      ];
      # Whoever may deploy may copy paths to the host.
      trusted-users = [ "@wheel" ];
      auto-optimise-store = true;
    };
    gc = {
      automatic = true;
      dates = "weekly";
      options = "--delete-older-than 30d";
    };
  };

  boot.loader = {
    systemd-boot = {
      enable = true;
      configurationLimit = 10;
    };
    efi.canTouchEfiVariables = true;
  };
  fileSystems = {
    "/" = {
      device = "/dev/disk/by-label/nixos";
      fsType = "ext4";
    };
    "/boot" = {
      device = "/dev/disk/by-label/boot";
      fsType = "vfat";
      options = [ "umask=0077" ];
    };
  };

  time.timeZone = "Etc/UTC";
  i18n.defaultLocale = "en_GB.UTF-8";

  # Deployments log in by key and need no password for sudo: they cannot type
  # one.
  users.users.admin = {
    isNormalUser = true;
    extraGroups = [ "wheel" ];
    openssh.authorizedKeys.keys = settings.authorizedKeys;
  };
  security.sudo.wheelNeedsPassword = false;
  warnings = lib.optional (
    settings.authorizedKeys == [ ]
  ) "settings.nix has no authorizedKeys: after a deployment nobody can log in to ${config.networking.hostName}.";

  services.openssh = {
    enable = true;
    settings = {
      PasswordAuthentication = false;
      PermitRootLogin = "no";
    };
  };

  # The mesh; the servers among them say what they route.
  services.tailscale = {
    enable = true;
    useRoutingFeatures = lib.mkDefault "client";
  };
  networking.firewall.trustedInterfaces = [ config.services.tailscale.interfaceName ];

  services.prometheus.exporters.node = {
    enable = true;
    enabledCollectors = [ "systemd" ];
    openFirewall = true;
  };

  environment.systemPackages = with pkgs; [
    git
    htop
    vim
  ];
}
