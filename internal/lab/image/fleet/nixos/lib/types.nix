# Option types. Each has a name for messages, a check for one value, and a
# merge of the definitions that are left after conditions and priorities:
# loc -> [ { file, value } ] -> value. `empty`, where there is one, is the
# value of an option that nothing defines.
{ lib }:
let
  show = lib.concatMapStringsSep "\n" (d: "- In `${d.file}': ${preview d.value}");
  preview =
    value:
    if builtins.isString value || builtins.isInt value || builtins.isBool value then
      builtins.toJSON value
    else
      "<${builtins.typeOf value}>";

  mergeOne =
    loc: defs:
    if builtins.length defs == 1 then
      (builtins.head defs).value
    else
      throw (
        "The option `${lib.showOption loc}' is defined multiple times while it's expected to be "
        + "unique.\nDefinition values:\n${show defs}"
      );

  mergeEqual =
    loc: defs:
    let
      first = (builtins.head defs).value;
    in
    if builtins.all (d: d.value == first) defs then
      first
    else
      throw (
        "The option `${lib.showOption loc}' has conflicting definition values:\n${show defs}\n"
        + "Use `lib.mkForce value` or `lib.mkDefault value` to change the priority on any of these "
        + "definitions."
      );

  isDerivation = v: builtins.isAttrs v && v.type or null == "derivation";
  isPathLike = v: builtins.isPath v || builtins.isString v || isDerivation v || v ? outPath;
in
rec {
  str = {
    name = "string";
    check = builtins.isString;
    merge = mergeEqual;
  };
  lines = {
    name = "strings concatenated with \"\\n\"";
    check = builtins.isString;
    merge = loc: defs: lib.concatMapStringsSep "\n" (d: d.value) defs;
    empty = "";
  };
  bool = {
    name = "boolean";
    check = builtins.isBool;
    merge = mergeEqual;
  };
  int = {
    name = "signed integer";
    check = builtins.isInt;
    merge = mergeEqual;
  };
  port = int // {
    name = "16 bit unsigned integer; between 0 and 65535 (both inclusive)";
    check = v: builtins.isInt v && v >= 0 && v <= 65535;
  };
  path = {
    name = "path";
    check = isPathLike;
    merge = mergeOne;
  };
  package = {
    name = "package";
    check = isDerivation;
    merge = mergeOne;
  };
  anything = {
    name = "anything";
    check = _: true;
    merge = mergeEqual;
  };
  unspecified = anything // {
    merge = mergeOne;
  };
  enum = values: {
    name = "one of ${lib.concatMapStringsSep ", " builtins.toJSON values}";
    check = v: builtins.elem v values;
    merge = mergeEqual;
  };
  nullOr = elem: {
    name = "null or ${elem.name}";
    check = v: v == null || elem.check v;
    merge =
      loc: defs:
      if builtins.all (d: d.value == null) defs then
        null
      else
        elem.merge loc (builtins.filter (d: d.value != null) defs);
  };
  listOf = elem: {
    name = "list of ${elem.name}";
    check = builtins.isList;
    merge =
      loc: defs:
      builtins.concatMap (
        d:
        map (
          value:
          if elem.check value then
            value
          else
            throw (
              "A definition for option `${lib.showOption loc}.\"*\"' is not of type `${elem.name}'. "
              + "Definition values:\n${show [ { inherit (d) file; inherit value; } ]}"
            )
        ) d.value
      ) defs;
    empty = [ ];
  };
  attrsOf = elem: {
    name = "attribute set of ${elem.name}";
    check = builtins.isAttrs;
    merge = loc: defs: lib.mergeAttrDefs loc elem defs;
    empty = { };
  };
  # What nixpkgs calls a coercible scalar of a unit file: one value, or a list
  # of them that gives the key several times.
  unitValue = {
    name = "systemd option";
    check = v: builtins.isInt v || builtins.isBool v || builtins.isList v || isPathLike v;
    merge =
      loc: defs:
      if builtins.all (d: builtins.isList d.value) defs then
        builtins.concatMap (d: d.value) defs
      else
        mergeEqual loc defs;
  };
  submodule = module: {
    name = "submodule";
    check = v: builtins.isAttrs v || builtins.isFunction v || builtins.isPath v;
    merge =
      loc: defs:
      (lib.evalModules {
        prefix = loc;
        specialArgs.name = if loc == [ ] then "" else builtins.elemAt loc (builtins.length loc - 1);
        modules = [ module ] ++ map (d: { _file = d.file; imports = [ d.value ]; }) defs;
      }).config;
    empty = { };
  };
  # A module that is kept as one, for whoever evaluates it (specialisations).
  deferredModule = {
    name = "module";
    check = v: builtins.isAttrs v || builtins.isFunction v || builtins.isPath v;
    merge = loc: defs: { imports = map (d: { _file = d.file; imports = [ d.value ]; }) defs; };
    empty = { };
  };
}
