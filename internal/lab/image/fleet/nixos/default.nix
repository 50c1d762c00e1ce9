# What a real flake gets from nixpkgs: lib, pkgs, and nixosSystem.
let
  lib = import ./lib;
  pkgs = import ./pkgs { inherit lib; };
in
{
  inherit lib pkgs;
  nixosSystem = import ./lib/eval-config.nix { inherit lib pkgs; };
}
