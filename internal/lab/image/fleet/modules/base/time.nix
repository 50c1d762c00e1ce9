{ pkgs, ... }:
{
  environment.systemPackages = [ pkgs.chrony ];
  environment.etc."homelab/chrony.conf".text = ''
    server dex5550 iburst
    makestep 1.0 3
  '';
}
