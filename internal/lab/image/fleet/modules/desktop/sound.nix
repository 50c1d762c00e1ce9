{ pkgs, ... }:
{
  environment.systemPackages = with pkgs; [
    pipewire
    wireplumber
  ];
}
