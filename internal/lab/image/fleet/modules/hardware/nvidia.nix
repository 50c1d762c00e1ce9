{ config, lib, pkgs, ... }:
let
  cfg = config.hardware.nvidia;
in
{
  options.hardware.nvidia = {
    enable = lib.mkOption {
      type = lib.types.bool;
      default = true;
      description = "Whether the NVIDIA driver is used.";
    };
    powerManagement = lib.mkEnableOption "switching the card off when idle";
  };

  config = lib.mkIf cfg.enable {
    boot.extraModulePackages = [ pkgs.nvidia-x11 ];
    boot.kernelParams =
      [ "nvidia-drm.modeset=1" ]
      ++ lib.optional cfg.powerManagement "nvidia.NVreg_DynamicPowerManagement=0x02";
    environment.systemPackages = with pkgs; [
      nvidia-settings
      nvtop
    ];
    # A driver's user space does not work with another version's module.
    system.switch.inhibitors.nvidia = pkgs.nvidia-x11.version;
  };
}
