{ config, lib, ... }:
let
  inherit (lib) mkOption types;
in
{
  options.system = {
    stateVersion = mkOption {
      type = types.str;
      default = "26.05";
      description = "Release the host was installed with.";
    };
    name = mkOption {
      type = types.str;
      default = if config.networking.hostName == "" then "unnamed" else config.networking.hostName;
      description = "Name of the system, used in the name of its derivation.";
    };
    configurationRevision = mkOption {
      type = types.nullOr types.str;
      default = null;
      description = "Revision of the flake, for `nixos-version --json`.";
    };
    nixos.release = mkOption {
      type = types.str;
      default = "26.05";
      description = "Release the miniature takes after.";
    };
    nixos.label = mkOption {
      type = types.str;
      default = "${config.system.nixos.release}.miniature";
      description = "Label in boot menus, and the content of the file `nixos-version`.";
    };
  };
}
