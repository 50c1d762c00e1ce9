{ pkgs, ... }:
{
  boot.initrd.kernelModules = [ "i915" ];
  environment.systemPackages = with pkgs; [
    intel-media-driver
    mesa
  ];
}
