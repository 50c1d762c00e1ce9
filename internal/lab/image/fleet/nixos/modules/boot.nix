{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.boot;
  kernel = cfg.kernelPackages.kernel;
in
{
  options.boot = {
    kernelPackages = mkOption {
      type = types.unspecified;
      default = pkgs.linuxPackages;
      description = "Set with the kernel to boot.";
    };
    kernelParams = mkOption {
      type = types.listOf types.str;
      default = [ ];
      description = "Kernel command line.";
    };
    kernelModules = mkOption {
      type = types.listOf types.str;
      default = [ ];
      description = "Modules loaded in the second stage.";
    };
    extraModulePackages = mkOption {
      type = types.listOf types.package;
      default = [ ];
      description = "Packages with further kernel modules.";
    };
    initrd.kernelModules = mkOption {
      type = types.listOf types.str;
      default = [ ];
      description = "Modules in the initial ramdisk.";
    };
    initInterfaceVersion = mkOption {
      type = types.int;
      default = pkgs.systemd.interfaceVersion;
      description = "A system with another one can only be booted, not switched to.";
    };
    loader.configurationName = mkOption {
      type = types.str;
      default = "";
      description = "Further words for the boot menu.";
    };
  };
  options.system.build = {
    kernel = mkOption {
      type = types.package;
      description = "The kernel.";
    };
    initialRamdisk = mkOption {
      type = types.package;
      description = "The initial ramdisk.";
    };
    kernelModules = mkOption {
      type = types.package;
      description = "All kernel modules.";
    };
  };

  config = {
    system.build = {
      inherit kernel;
      initialRamdisk = pkgs.runCommand "initrd-linux-${kernel.version}" {
        inherit kernel;
        kernelModules = lib.unique cfg.initrd.kernelModules;
      } ''
        mkdir -p "$out"
        for module in $kernelModules; do
          cat "$kernel/lib/modules"/*/"$module.ko"
        done > "$out/initrd"
      '';
      kernelModules = pkgs.runCommand "linux-${kernel.version}-modules" {
        paths = [ kernel ] ++ cfg.extraModulePackages;
      } ''
        mkdir -p "$out/lib"
        for path in $paths; do
          echo "$path" >> "$out/lib/modules.list"
        done
      '';
    };
    environment.etc."modules-load.d/nixos.conf".text = lib.concatLines (lib.unique cfg.kernelModules);
  };
}
