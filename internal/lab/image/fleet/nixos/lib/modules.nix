# A small evaluator of NixOS modules: imports, options with types, mkIf,
# mkMerge and priorities. Every option must be declared somewhere; a definition
# of one that is not names the file it stands in.
#
# As in nixpkgs the names of the options are fixed before any definition is
# looked at, so a module may take its condition from the configuration it adds
# to.
{ lib }:
let
  inherit (lib) showOption concatMap attrNames;

  # A value and the file it stands in: a declaration or a definition.
  at = file: value: { inherit file value; };

  # An imported file is known by its path, so that two importers of one file
  # get it once.
  keyOf = module: if builtins.isPath module || builtins.isString module then toString module else null;

  load =
    args: fallback: module:
    let
      isFile = builtins.isPath module || builtins.isString module;
      file = if isFile then toString module else fallback;
      value = if isFile then import module else module;
      applied = if builtins.isFunction value then value args else value;
      located = applied._file or file;
      structured = applied ? options || applied ? config;
      extra = removeAttrs applied [ "_file" "key" "imports" "options" "config" ];
    in
    if !builtins.isAttrs applied then
      throw "Module `${file}' is neither a function nor an attribute set."
    else if structured && extra != { } then
      throw (
        "Module `${located}' has an unsupported attribute `${builtins.head (attrNames extra)}'. "
        + "This is caused by introducing a top-level `config' or `options' attribute. Add configuration "
        + "attributes immediately on the top level instead, or move all of them into the explicit `config' "
        + "attribute."
      )
    else
      {
        key = keyOf module;
        file = located;
        imports = applied.imports or [ ];
        options = applied.options or { };
        config = if structured then applied.config or { } else extra;
      };

  collect =
    args: roots:
    let
      step =
        seen: fallback: modules:
        builtins.foldl' (
          acc: module:
          let
            key = keyOf module;
            loaded = load args fallback module;
            seen = acc.seen // lib.optionalAttrs (key != null) { ${key} = true; };
            below = step seen loaded.file loaded.imports;
          in
          if key != null && acc.seen ? ${key} then
            acc
          else
            {
              inherit (below) seen;
              modules = acc.modules ++ below.modules ++ [ loaded ];
            }
        ) { inherit seen; modules = [ ]; } modules;
    in
    (step { } "<unknown-file>" roots).modules;

  isOption = node: node._type or null == "option";

  # The tree of declarations: attribute sets with options for leaves.
  mergeOptions =
    loc: decls:
    builtins.zipAttrsWith (
      name: nodes:
      let
        here = loc ++ [ name ];
        leaves = builtins.filter (n: isOption n.node) nodes;
      in
      if leaves == [ ] then
        mergeOptions here (map (n: at n.file n.node) nodes)
      else if builtins.length nodes > 1 then
        throw (
          "The option `${showOption here}' in `${(builtins.elemAt nodes 1).file}' "
          + "is already declared in `${(builtins.head nodes).file}'."
        )
      else
        (builtins.head leaves).node
    ) (map (d: builtins.mapAttrs (_: node: { inherit node; inherit (d) file; }) d.value) decls);

  # Definitions of a set become definitions of its members, each carrying the
  # conditions and priorities that stood around the set.
  pushDown =
    loc: def:
    let
      inherit (def) value file;
      again =
        wrap: content:
        map (builtins.mapAttrs (_: d: at d.file (wrap d.value))) (pushDown loc (at file content));
    in
    if !builtins.isAttrs value then
      throw (
        "A definition for option `${showOption loc}' is not of type `attribute set'. "
        + "Definition values:\n- In `${file}': <${builtins.typeOf value}>"
      )
    else if value._type or null == "if" then
      again (lib.mkIf value.condition) value.content
    else if value._type or null == "merge" then
      concatMap (content: pushDown loc (at file content)) value.contents
    else if value._type or null == "override" then
      again (lib.mkOverride value.priority) value.content
    else
      [ (builtins.mapAttrs (_: at file) value) ];

  # The definitions that hold, each with its priority.
  discharge =
    priority: def:
    let
      inherit (def) value;
      type = if builtins.isAttrs value then value._type or null else null;
      inner = content: discharge priority (at def.file content);
    in
    if type == "if" then
      if value.condition then inner value.content else [ ]
    else if type == "merge" then
      concatMap inner value.contents
    else if type == "override" then
      discharge value.priority (at def.file value.content)
    else
      [ { inherit (def) file; inherit value priority; } ];

  strongest =
    defs:
    let
      best = builtins.foldl' (acc: d: if d.priority < acc then d.priority else acc) 9999 defs;
    in
    builtins.filter (d: d.priority == best) defs;

  mergeType =
    loc: type: defs:
    let
      held = strongest (concatMap (discharge lib.defaultPriority) defs);
      bad = builtins.filter (d: !type.check d.value) held;
    in
    if held == [ ] then
      null
    else if bad != [ ] then
      throw "A definition for option `${showOption loc}' is not of type `${type.name}'. Definition values:\n${
        lib.concatMapStringsSep "\n" (d: "- In `${d.file}': <${builtins.typeOf d.value}>") bad
      }"
    else
      { value = type.merge loc held; };

  evalOption =
    loc: option: defs:
    let
      withDefault =
        defs
        ++ lib.optional (option ? default) {
          file = "<default>";
          value = lib.mkOptionDefault option.default;
        };
      merged = mergeType loc option.type withDefault;
      value =
        if merged != null then
          merged.value
        else if option.type ? empty then
          option.type.empty
        else
          throw (
            "The option `${showOption loc}' was accessed but has no value defined. "
            + "Try setting the option."
          );
    in
    (option.apply or (v: v)) value;

  # The configuration of a tree of declarations, and every definition that
  # matches none of them.
  evalTree =
    loc: tree: defs:
    let
      byName = builtins.zipAttrsWith (_: ds: ds) (concatMap (pushDown loc) defs);
      sub = builtins.mapAttrs (
        name: node:
        let
          here = loc ++ [ name ];
          ds = byName.${name} or [ ];
        in
        if isOption node then
          {
            config = evalOption here node ds;
            unmatched = [ ];
          }
        else
          evalTree here node ds
      ) tree;
      unknown = removeAttrs byName (attrNames tree);
    in
    {
      config = builtins.mapAttrs (_: s: s.config) sub;
      unmatched =
        concatMap (
          name: map (d: { loc = loc ++ [ name ]; inherit (d) file; }) unknown.${name}
        ) (attrNames unknown)
        ++ concatMap (name: sub.${name}.unmatched) (attrNames sub);
    };
in
{
  # Attribute sets whose names come from the definitions: a name all of whose
  # definitions are switched off does not exist.
  mergeAttrDefs =
    loc: elem: defs:
    let
      byName = builtins.zipAttrsWith (_: ds: ds) (concatMap (pushDown loc) defs);
      merged = builtins.mapAttrs (name: mergeType (loc ++ [ name ]) elem) byName;
    in
    builtins.mapAttrs (_: m: m.value) (lib.filterAttrs (_: m: m != null) merged);

  evalModules =
    {
      modules,
      specialArgs ? { },
      prefix ? [ ],
    }:
    let
      args = specialArgs // {
        inherit lib options;
        inherit (tree) config;
      };
      loaded = collect args modules;
      options = mergeOptions prefix (map (m: at m.file m.options) loaded);
      tree = evalTree prefix options (map (m: at m.file m.config) loaded);
      first = builtins.head tree.unmatched;
    in
    {
      inherit options;
      config =
        if tree.unmatched == [ ] then
          tree.config
        else
          throw (
            "The option `${showOption first.loc}' does not exist. "
            + "Definition values:\n- In `${first.file}'"
          );
    };
}
