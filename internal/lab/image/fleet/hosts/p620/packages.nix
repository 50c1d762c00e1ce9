{ pkgs, ... }:
{
  environment.systemPackages = with pkgs; [
    blender
    jq
    ollama
    ripgrep
  ];
}
