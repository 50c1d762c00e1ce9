{ pkgs, ... }:
{
  boot.kernelModules = [ "kvm-amd" ];
  boot.kernelParams = [ "amd_pstate=active" ];
  environment.systemPackages = [ pkgs.microcode-amd ];
}
