# The part of nixpkgs' lib that the miniature and the homelab use, with the
# same names and meanings.
let
  lib =
    import ./strings.nix
    // import ./attrsets.nix
    // import ./priorities.nix
    // import ./modules.nix { inherit lib; }
    // import ./options.nix { inherit lib; }
    // {
      types = import ./types.nix { inherit lib; };
      # Prints `evaluation warning: …`; Nix before 2.24 has no builtin for it.
      warn = builtins.warn or (msg: value: builtins.trace "evaluation warning: ${msg}" value);
    };
in
lib
