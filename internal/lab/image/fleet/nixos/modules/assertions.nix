{ lib, ... }:
{
  options.assertions = lib.mkOption {
    type = lib.types.listOf lib.types.unspecified;
    default = [ ];
    example = [
      {
        assertion = false;
        message = "you can't enable this for that reason";
      }
    ];
    description = "Conditions that must hold for the configuration to be built.";
  };
  options.warnings = lib.mkOption {
    type = lib.types.listOf lib.types.str;
    default = [ ];
    description = "Warnings to print whenever the configuration is evaluated.";
  };
}
