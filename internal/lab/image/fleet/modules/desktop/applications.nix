{ pkgs, ... }:
{
  environment.systemPackages = with pkgs; [
    alacritty
    firefox
    vscode
  ];
}
