{
  description = "Flotilla deploys a fleet of NixOS machines from one flake";

  # No inputs: the module and the package are built with the nixpkgs of whoever uses
  # them, so that there is nothing to lock, to follow or to download here.
  outputs = _: {
    nixosModules.default = ./internal/nixos/module.nix;
    overlays.default = final: _: { flotilla = final.callPackage ./internal/nixos/package.nix { }; };
  };
}
