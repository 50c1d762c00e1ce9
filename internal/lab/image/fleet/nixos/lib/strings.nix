rec {
  inherit (builtins) concatStringsSep hasAttr isString toJSON;

  concatLines = concatMapStrings (line: line + "\n");
  concatMapStrings = f: list: concatStringsSep "" (map f list);
  concatMapStringsSep = sep: f: list: concatStringsSep sep (map f list);
  boolToString = b: if b then "true" else "false";
  optionalString = cond: s: if cond then s else "";
  hasPrefix = prefix: s: builtins.substring 0 (builtins.stringLength prefix) s == prefix;
  hasSuffix =
    suffix: s:
    let
      n = builtins.stringLength s - builtins.stringLength suffix;
    in
    n >= 0 && builtins.substring n (-1) s == suffix;
  removeSuffix =
    suffix: s:
    if hasSuffix suffix s then
      builtins.substring 0 (builtins.stringLength s - builtins.stringLength suffix) s
    else
      s;

  # One word of POSIX shell that means exactly the string.
  escapeShellArg = arg: "'${builtins.replaceStrings [ "'" ] [ "'\\''" ] (toString arg)}'";

  showOption = concatStringsSep ".";
}
