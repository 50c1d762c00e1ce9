{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  scripts = config.system.activationScripts;

  # Each after those it depends on, otherwise by name.
  ordered =
    let
      visit =
        done: name:
        if lib.elem name done then
          done
        else if !scripts ? ${name} then
          throw "The activation script `${name}' is a dependency of another but does not exist."
        else
          builtins.foldl' visit done scripts.${name}.deps ++ [ name ];
    in
    builtins.foldl' visit [ ] (lib.attrNames scripts);

  # A failing snippet is reported and the others still run, as in NixOS.
  snippet =
    dry: name:
    if dry && !scripts.${name}.supportsDryActivation then
      "#### Activation script snippet ${name} does not support dry activation.\n"
    else
      ''
        #### Activation script snippet ${name}:
        (
        set -e
        ${scripts.${name}.text}
        )
        _localstatus=$?
        if [ "$_localstatus" -gt 0 ]; then
          _status=1
          printf "Activation script snippet '%s' failed (%s)\n" ${lib.escapeShellArg name} "$_localstatus"
        fi
      '';

  script = dry: ''
    #! /bin/sh
    systemConfig='@out@'
    export PATH=/usr/sbin:/usr/bin:/sbin:/bin
    exec 1>&2
    umask 0022
    _status=0
    ${lib.concatMapStrings (snippet dry) ordered}
    ${
      if dry then
        ""
      else
        ''
          # Made aside and renamed: the link is never missing.
          ln -sfn "$(readlink -f "$systemConfig")" /run/.current-system.new
          mv -T /run/.current-system.new /run/current-system
        ''
    }
    exit $_status
  '';
in
{
  options.system = {
    activationScripts = mkOption {
      default = { };
      description = "Shell snippets run whenever the system is activated. They must be idempotent and fast.";
      type = types.attrsOf (types.submodule {
        options = {
          text = mkOption {
            type = types.lines;
            description = "The snippet.";
          };
          deps = mkOption {
            type = types.listOf types.str;
            default = [ ];
            description = "Snippets that run before it.";
          };
          supportsDryActivation = mkOption {
            type = types.bool;
            default = false;
            description = "Whether it also runs for dry-activate, with NIXOS_ACTION saying so.";
          };
        };
      });
    };
    build.activate = mkOption {
      type = types.package;
      description = "The script `activate`, with @out@ for the toplevel.";
    };
    build.dryActivate = mkOption {
      type = types.package;
      description = "The script `dry-activate`.";
    };
  };

  config.system.build = {
    activate = pkgs.writeExecutable "activate" (script false);
    dryActivate = pkgs.writeExecutable "dry-activate" (script true);
  };
}
