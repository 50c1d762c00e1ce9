# Without the card, for the road.
{ lib, ... }:
{
  specialisation.on-the-go.configuration = {
    hardware.nvidia.enable = lib.mkForce false;
    homelab.power.profile = "saving";
    boot.loader.configurationName = "on the go";
  };
}
