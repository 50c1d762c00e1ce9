# The options of units, with the names and defaults of NixOS.
{ lib }:
let
  inherit (lib) mkOption types;
  names = description: mkOption {
    type = types.listOf types.str;
    default = [ ];
    inherit description;
  };
  triggers = description: mkOption {
    type = types.listOf types.unspecified;
    default = [ ];
    inherit description;
  };
  flag = default: description: mkOption {
    type = types.bool;
    inherit default description;
  };
  text = description: mkOption {
    type = types.lines;
    default = "";
    inherit description;
  };
  config = description: mkOption {
    type = types.attrsOf types.unitValue;
    default = { };
    inherit description;
  };
in
rec {
  unit.options = {
    enable = flag true "Whether the unit exists.";
    description = mkOption {
      type = types.str;
      default = "";
      description = "Description of the unit.";
    };
    after = names "Units this one starts after.";
    before = names "Units this one starts before.";
    wants = names "Units started with this one.";
    requires = names "Units this one cannot be without.";
    requiredBy = names "Units that require this one.";
    wantedBy = names "Units that start this one.";
    bindsTo = names "Units this one stops with.";
    partOf = names "Units whose stop and restart this one follows.";
    conflicts = names "Units that stop when this one starts.";
    unitConfig = config "Further options of the section [Unit].";
    restartTriggers = triggers "The unit is restarted when one of these changes.";
    reloadTriggers = triggers "The unit is reloaded when one of these changes.";
  };

  timer.options = unit.options // {
    timerConfig = config "Options of the section [Timer].";
  };

  service.options = unit.options // {
    environment = mkOption {
      type = types.attrsOf types.str;
      default = { };
      description = "Environment of the service.";
    };
    path = mkOption {
      type = types.listOf types.package;
      default = [ ];
      description = "Packages in its PATH.";
    };
    script = text "Shell commands that are the service's main process.";
    scriptArgs = mkOption {
      type = types.str;
      default = "";
      description = "Arguments of the script.";
    };
    preStart = text "Shell commands run before it.";
    reload = text "Shell commands that make it read its configuration again.";
    restartIfChanged = flag true "Whether a switch restarts it when it changed.";
    reloadIfChanged = flag false "Whether a switch reloads it instead.";
    stopIfChanged = flag true ''
      Whether a changed one is stopped by the old system and started by the new
      one, instead of restarted by the new one.
    '';
    serviceConfig = config "Options of the section [Service].";
  };
}
