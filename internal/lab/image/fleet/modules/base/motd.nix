{ config, ... }:
{
  environment.etc.motd.text = builtins.replaceStrings [ "@host@" ] [ config.networking.hostName ] (
    builtins.readFile ../../data/motd
  );
}
