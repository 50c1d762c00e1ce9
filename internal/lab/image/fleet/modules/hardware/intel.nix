{ pkgs, ... }:
{
  boot.kernelModules = [ "kvm-intel" ];
  environment.systemPackages = with pkgs; [
    microcode-intel
    thermald
  ];
}
