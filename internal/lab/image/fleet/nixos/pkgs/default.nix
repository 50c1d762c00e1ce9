# The package set. Each package is a file of its own that is read only when a
# configuration asks for the package, so a new version of one of them concerns
# the hosts that have it and no other.
{ lib }:
let
  support = import ./build-support { inherit lib; };
  callPackage =
    file: overrides:
    let
      f = import file;
    in
    f (builtins.intersectAttrs (builtins.functionArgs f) pkgs // overrides);
  pkgs =
    support
    // {
      inherit lib callPackage;
      stdenv.hostPlatform.system = support.system;
    }
    // import ./all-packages.nix { inherit callPackage; };
in
pkgs
