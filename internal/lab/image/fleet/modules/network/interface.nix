{ lib, ... }:
{
  networking.mainInterface = lib.mkDefault "host0";
}
