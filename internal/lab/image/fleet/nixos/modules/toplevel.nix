# Putting it all together: the path that is the system.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.system;
  inherit (cfg) build;

  toplevel = pkgs.runCommand "nixos-system-${cfg.name}-${cfg.nixos.label}" {
    inherit (build)
      activate
      dryActivate
      etc
      kernel
      initialRamdisk
      kernelModules
      preSwitchChecks
      inhibitSwitch
      installBootLoader
      ;
    inherit (cfg) path;
    inherit (pkgs) systemd;
    switchScript = ../activation/switch-to-configuration.sh;
    compareUnits = ../activation/compare-units.awk;
    initScript = ../activation/init.sh;
    nixosLabel = cfg.nixos.label;
    kernelParams = config.boot.kernelParams;
    interfaceVersion = config.boot.initInterfaceVersion;
    configurationName = config.boot.loader.configurationName;
    hostPlatform = pkgs.stdenv.hostPlatform.system;
  } ''
    mkdir -p "$out/bin" "$out/specialisation"

    ln -s "$kernel/bzImage" "$out/kernel"
    ln -s "$initialRamdisk/initrd" "$out/initrd"
    ln -s "$kernelModules" "$out/kernel-modules"
    ln -s "$etc/etc" "$out/etc"
    ln -s "$path" "$out/sw"
    ln -s "$systemd" "$out/systemd"
    ln -s "$inhibitSwitch" "$out/switch-inhibitors"

    printf %s "$kernelParams" > "$out/kernel-params"
    printf %s "systemd $interfaceVersion" > "$out/init-interface-version"
    printf %s "$nixosLabel" > "$out/nixos-version"
    printf %s "$hostPlatform" > "$out/system"
    printf %s "$configurationName" > "$out/configuration-name"

    ${lib.concatStringsSep "" (
      lib.mapAttrsToList (name: system: ''
        ln -s ${system} "$out/specialisation/"${lib.escapeShellArg name}
      '') build.specialisations
    )}
    install_script() {
      sed -e "s|@out@|$out|g" \
        -e "s|@preSwitchChecks@|$preSwitchChecks|g" \
        -e "s|@installBootLoader@|$installBootLoader|g" \
        -e "s|@compareUnits@|$compareUnits|g" \
        -e "s|@systemd@|$systemd|g" "$1" > "$2"
      chmod +x "$2"
    }
    install_script "$activate" "$out/activate"
    install_script "$dryActivate" "$out/dry-activate"
    install_script "$initScript" "$out/init"
    install_script "$switchScript" "$out/bin/switch-to-configuration"
  '';

  failed = map (a: a.message) (lib.filter (a: !a.assertion) config.assertions);
in
{
  options.system.build.toplevel = mkOption {
    type = types.package;
    description = "The system.";
  };

  config.system.build.toplevel =
    if failed != [ ] then
      throw "\nFailed assertions:\n${lib.concatMapStringsSep "\n" (m: "- ${m}") failed}"
    else
      builtins.foldl' (system: message: lib.warn message system) toplevel config.warnings;
}
