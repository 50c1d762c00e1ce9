{ pkgs, ... }:
{
  environment.systemPackages = with pkgs; [
    dejavu-fonts
    noto-fonts
  ];
}
