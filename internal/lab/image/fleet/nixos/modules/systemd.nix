# Units, written the way NixOS writes them: each a path of its own.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  unitOptions = import ./systemd-unit-options.nix { inherit lib; };
  cfg = config.systemd;

  bool = b: if b then "true" else "false";
  value = v: if builtins.isBool v then bool v else toString v;
  section =
    name: set:
    "[${name}]\n"
    + lib.concatStringsSep "" (
      lib.mapAttrsToList (
        key: v: lib.concatMapStrings (one: "${key}=${value one}\n") (if builtins.isList v then v else [ v ])
      ) set
    );

  common =
    u:
    let
      list = key: names: lib.optionalAttrs (names != [ ]) { ${key} = toString names; };
    in
    section "Unit" (
      lib.optionalAttrs (u.description != "") { Description = u.description; }
      // list "After" u.after
      // list "Before" u.before
      // list "Wants" u.wants
      // list "Requires" u.requires
      // list "BindsTo" u.bindsTo
      // list "PartOf" u.partOf
      // list "Conflicts" u.conflicts
      // list "X-Restart-Triggers" (map toString u.restartTriggers)
      // list "X-Reload-Triggers" (map toString u.reloadTriggers)
      // u.unitConfig
    );

  script =
    unit: kind: text:
    let
      program = pkgs.writeShellScriptBin "${unit}-${kind}" "set -e\n${text}\n";
    in
    "${program}/bin/${unit}-${kind}";

  service =
    name: u:
    let
      environment = u.environment // {
        PATH = lib.concatStringsSep ":" (
          map (p: "${p}/bin") u.path
          ++ [
            "/usr/sbin"
            "/usr/bin"
            "/sbin"
            "/bin"
          ]
        );
      };
      base = builtins.replaceStrings [ "@" ] [ "" ] name;
    in
    common u
    + "\n"
    + section "Service" (
      {
        Environment = lib.mapAttrsToList (k: v: builtins.toJSON "${k}=${v}") environment;
      }
      // lib.optionalAttrs (u.preStart != "") { ExecStartPre = [ (script base "pre-start" u.preStart) ]; }
      // lib.optionalAttrs (u.script != "") { ExecStart = "${script base "start" u.script} ${u.scriptArgs}"; }
      // lib.optionalAttrs (u.reload != "") { ExecReload = script base "reload" u.reload; }
      // lib.optionalAttrs u.reloadIfChanged { X-ReloadIfChanged = true; }
      // lib.optionalAttrs (!u.reloadIfChanged && !u.restartIfChanged) { X-RestartIfChanged = false; }
      // lib.optionalAttrs (!u.stopIfChanged) { X-StopIfChanged = false; }
      // u.serviceConfig
    );

  render =
    kind: text:
    lib.mapAttrs' (name: u: lib.nameValuePair "${name}.${kind}" (u // { text = text name u; }));
  rendered =
    render "service" service cfg.services
    // render "timer" (_: u: "${common u}\n${section "Timer" u.timerConfig}") cfg.timers
    // render "target" (_: common) cfg.targets;

  enabled = lib.filterAttrs (_: u: u.enable) rendered;

  units = pkgs.runCommand "system-units" { } (
    ''
      mkdir -p "$out"
      link() {
        mkdir -p "$out/$2"
        ln -sfn "../$1" "$out/$2/$1"
      }
    ''
    + lib.concatStringsSep "" (
      lib.mapAttrsToList (
        name: u:
        let
          unit = pkgs.runCommand "unit-${builtins.replaceStrings [ "@" ] [ "-" ] name}" {
            inherit (u) text;
            passAsFile = [ "text" ];
          } ''
            mkdir -p "$out"
            cp "$textPath" "$out/${name}"
          '';
        in
        "ln -s ${unit}/${name} \"$out/${name}\"\n"
        + lib.concatMapStrings (t: "link ${name} ${t}.wants\n") u.wantedBy
        + lib.concatMapStrings (t: "link ${name} ${t}.requires\n") u.requiredBy
      ) enabled
    )
  );
in
{
  options.systemd = {
    services = mkOption {
      type = types.attrsOf (types.submodule unitOptions.service);
      default = { };
      description = "Service units.";
    };
    timers = mkOption {
      type = types.attrsOf (types.submodule unitOptions.timer);
      default = { };
      description = "Timer units.";
    };
    targets = mkOption {
      type = types.attrsOf (types.submodule unitOptions.unit);
      default = { };
      description = "Target units.";
    };
  };

  config = {
    environment.etc."systemd/system".source = units;

    systemd.targets.sysinit-reactivation = {
      description = "Reactivate sysinit units";
      unitConfig.RefuseManualStart = false;
    };
  };
}
