# NVIDIA's driver. It is not free; nothing else unfree is let in.
{ lib, ... }:
{
  nixpkgs.config.allowUnfreePredicate =
    package:
    let
      name = lib.getName package;
    in
    lib.hasPrefix "nvidia" name || lib.hasPrefix "cuda" name;

  services.xserver.videoDrivers = [ "nvidia" ];
  hardware.graphics.enable = true;
  hardware.nvidia.modesetting.enable = true;
}
