# Failures before anything is built.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  message = description: mkOption {
    type = types.nullOr types.str;
    default = null;
    inherit description;
  };
in
{
  options.lab = {
    throw = message "Message the evaluation fails with.";
    failAssertion = message "Message of an assertion that does not hold.";
  };
  config = {
    assertions = lib.optional (config.lab.failAssertion != null) {
      assertion = false;
      message = config.lab.failAssertion;
    };
    environment.systemPackages = lib.optional (config.lab.throw != null) (throw config.lab.throw);
  };
}
