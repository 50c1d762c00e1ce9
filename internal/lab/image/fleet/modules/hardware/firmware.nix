{ pkgs, ... }:
{
  environment.systemPackages = [ pkgs.linux-firmware ];
}
