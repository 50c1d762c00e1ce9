{ pkgs, ... }:
{
  environment.systemPackages = [ pkgs.sudo ];
  environment.etc."homelab/users".text = ''
    admin wheel video
  '';
}
