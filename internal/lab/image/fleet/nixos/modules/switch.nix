# What switch-to-configuration is made of: checks, inhibitors, boot loader.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;

  checks = lib.concatStringsSep "" (
    lib.mapAttrsToList (name: text: ''
      # pre-switch check ${name}
      (
      set -e
      ${text}
      ) >&2
      if [ $? -ne 0 ]; then
        printf "Pre-switch check '%s' failed\n" ${lib.escapeShellArg name} >&2
        exit 1
      fi
    '') config.system.preSwitchChecks
  );
in
{
  options.system = {
    preSwitchChecks = mkOption {
      type = types.attrsOf types.lines;
      default = { };
      description = ''
        Shell fragments run before anything is changed; one that fails refuses
        the switch. $1 is the new system, $2 the action.
      '';
    };
    switch.inhibitors = mkOption {
      type = types.attrsOf types.str;
      default = { };
      description = "Strings that prevent switching into a system where they differ.";
    };
    build.preSwitchChecks = mkOption {
      type = types.package;
      description = "The checks as one script.";
    };
    build.inhibitSwitch = mkOption {
      type = types.package;
      description = "The inhibitors as JSON, one a line.";
    };
    build.installBootLoader = mkOption {
      type = types.path;
      description = "Command that makes its argument the boot default.";
    };
  };

  config.system = {
    preSwitchChecks.switchInhibitors = ''
      /bin/sh ${../activation/check-inhibitors.sh} "$1" "$2"
    '';
    build = {
      preSwitchChecks = pkgs.writeExecutable "pre-switch-checks" ''
        #! /bin/sh
        ${checks}
      '';
      inhibitSwitch = pkgs.writeText "switch-inhibitors.json" (
        let
          lines = lib.mapAttrsToList (
            key: value: "  ${builtins.toJSON key}: ${builtins.toJSON value}"
          ) config.system.switch.inhibitors;
        in
        if lines == [ ] then "{}\n" else "{\n${lib.concatStringsSep ",\n" lines}\n}\n"
      );
      installBootLoader = lib.mkDefault (
        pkgs.writeExecutable "install-boot-entry" (builtins.readFile ../activation/install-boot-entry.sh)
      );
    };
  };
}
