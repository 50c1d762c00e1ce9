# The fleet's own cache, once it has a key.
{ config, lib, ... }:
let
  inherit (import ../settings.nix) cachePublicKey;
in
{
  config = lib.mkIf (cachePublicKey != "") {
    nix.settings = {
      # The cache is a workstation and may be off; p620 needs no cache of itself.
      extra-substituters = lib.mkIf (config.networking.hostName != "p620") [ "http://p620:5000" ];
      extra-trusted-public-keys = [ cachePublicKey ];
      connect-timeout = 3;
      fallback = true;
    };
  };
}
