{ lib }:
rec {
  mkOption = attrs: attrs // { _type = "option"; };
  mkEnableOption =
    name:
    mkOption {
      type = lib.types.bool;
      default = false;
      description = "Whether to enable ${name}.";
    };
}
