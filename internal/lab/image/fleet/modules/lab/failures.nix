# Failures after the evaluation, each at another point of a deployment.
{ config, lib, pkgs, ... }:
let
  cfg = config.lab;
in
{
  options.lab = {
    failBuild = lib.mkEnableOption "a package whose build prints ten lines and fails";
    failPreSwitchCheck = lib.mkEnableOption "a pre-switch check that fails (exit 1)";
    failBootloader = lib.mkEnableOption "a boot loader that cannot be installed (exit 1)";
    failActivation = lib.mkEnableOption "an activation script that fails (exit 2)";
    failUnit = lib.mkEnableOption "a unit that fails to start (exit 4)";
    failUnitLate = lib.mkEnableOption "a unit that starts and fails two seconds later";
    cutNetwork = lib.mkEnableOption "an activation that takes the network interface down";
  };

  config = lib.mkMerge [
    (lib.mkIf cfg.failBuild {
      environment.systemPackages = [
        (pkgs.runCommand "lab-fail-build-1.0" { } ''
          for line in 1 2 3 4 5 6 7 8 9; do
            echo "compiling part $line"
          done
          echo "part 9: undefined reference to 'lab'" >&2
          exit 1
        '')
      ];
    })
    (lib.mkIf cfg.failPreSwitchCheck {
      system.preSwitchChecks.lab = ''
        echo "the lab's check refuses $1 ($2)"
        exit 1
      '';
    })
    (lib.mkIf cfg.failBootloader {
      system.build.installBootLoader = pkgs.writeExecutable "fail-bootloader" ''
        #! /bin/sh
        echo "no space left on /boot" >&2
        exit 1
      '';
    })
    (lib.mkIf cfg.failActivation {
      system.activationScripts.labFail.text = ''
        echo "the lab's activation snippet fails"
        false
      '';
    })
    (lib.mkIf cfg.failUnit {
      systemd.services.lab-fail = {
        description = "A unit that fails to start";
        wantedBy = [ "multi-user.target" ];
        script = ''
          echo "cannot start: the lab says so" >&2
          exit 1
        '';
        serviceConfig.Type = "oneshot";
      };
    })
    (lib.mkIf cfg.failUnitLate {
      systemd.services.lab-fail-late = {
        description = "A unit that fails after a while";
        wantedBy = [ "multi-user.target" ];
        script = ''
          sleep 2
          exit 1
        '';
      };
    })
    (lib.mkIf cfg.cutNetwork { networking.mainInterfaceState = "down"; })
  ];
}
