# nixpkgs' lib.nixosSystem: a list of modules in, a configuration out.
{ lib, pkgs }:
{
  modules,
  specialArgs ? { },
}:
let
  evaluate =
    extra:
    lib.evalModules {
      modules = import ../modules/module-list.nix ++ modules ++ extra;
      specialArgs = specialArgs // {
        inherit pkgs;
        # For specialisations: this system with one more module.
        extendModules = more: evaluate (extra ++ more);
      };
    };
in
evaluate [ ]
