rec {
  inherit (builtins)
    attrNames
    attrValues
    concatMap
    elem
    filter
    genList
    isAttrs
    isList
    listToAttrs
    mapAttrs
    ;

  nameValuePair = name: value: { inherit name value; };
  mapAttrsToList = f: set: map (name: f name set.${name}) (attrNames set);
  mapAttrs' = f: set: listToAttrs (mapAttrsToList f set);
  filterAttrs =
    pred: set:
    listToAttrs (
      concatMap (name: if pred name set.${name} then [ (nameValuePair name set.${name}) ] else [ ]) (
        attrNames set
      )
    );
  genAttrs = names: f: listToAttrs (map (name: nameValuePair name (f name)) names);
  optional = cond: value: if cond then [ value ] else [ ];
  optionals = cond: list: if cond then list else [ ];
  optionalAttrs = cond: set: if cond then set else { };
  unique = builtins.foldl' (acc: x: if elem x acc then acc else acc ++ [ x ]) [ ];
}
