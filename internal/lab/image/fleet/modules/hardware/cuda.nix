{ pkgs, ... }:
{
  environment.systemPackages = [ pkgs.cuda-toolkit ];
}
