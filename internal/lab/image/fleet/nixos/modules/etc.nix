# /etc: the store's tree of it, reached through /etc/static.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  entries = lib.filterAttrs (_: e: e.enable) config.environment.etc;
in
{
  options.environment.etc = mkOption {
    default = { };
    description = "Files in /etc, each a link into the store.";
    type = types.attrsOf (types.submodule (
      { name, config, ... }:
      {
        options = {
          enable = mkOption {
            type = types.bool;
            default = true;
            description = "Whether the file is made.";
          };
          text = mkOption {
            type = types.nullOr types.lines;
            default = null;
            description = "Content of the file.";
          };
          source = mkOption {
            type = types.path;
            description = "Path the file links to.";
          };
        };
        config.source = lib.mkIf (config.text != null) (
          lib.mkDefault (pkgs.writeText "etc-${builtins.replaceStrings [ "/" ] [ "-" ] name}" config.text)
        );
      }
    ));
  };

  options.system.build.etc = mkOption {
    type = types.package;
    description = "The tree.";
  };

  config = {
    system.build.etc = pkgs.runCommand "etc" { } (
      ''
        mkdir -p "$out/etc"
      ''
      + lib.concatStringsSep "" (
        lib.mapAttrsToList (
          name: e:
          let
            target = lib.escapeShellArg "etc/${name}";
          in
          ''
            mkdir -p "$(dirname "$out"/${target})"
            ln -s ${lib.escapeShellArg "${e.source}"} "$out"/${target}
          ''
        ) entries
      )
    );

    system.activationScripts.etc.text = ''
      echo "setting up /etc..."
      /bin/sh ${../activation/setup-etc.sh} ${config.system.build.etc}/etc
    '';
  };
}
