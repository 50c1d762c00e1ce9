{ config, lib, extendModules, ... }:
let
  inherit (lib) mkOption types;
in
{
  options.specialisation = mkOption {
    default = { };
    description = "Variants of the system, each a system of its own below it.";
    type = types.attrsOf (types.submodule {
      options.configuration = mkOption {
        type = types.deferredModule;
        description = "What the variant adds.";
      };
    });
  };
  options.system.build.specialisations = mkOption {
    type = types.attrsOf types.package;
    description = "Toplevel of each variant.";
  };
  options.isSpecialisation = mkOption {
    type = types.bool;
    default = false;
    description = "Set in variants, which have no variants themselves.";
  };

  config.system.build.specialisations = lib.optionalAttrs (!config.isSpecialisation) (
    builtins.mapAttrs (
      _: s:
      (extendModules [
        s.configuration
        { isSpecialisation = true; }
      ]).config.system.build.toplevel
    ) config.specialisation
  );
}
