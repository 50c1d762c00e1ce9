{
  description = "Four NixOS hosts: workstation, laptop, media server, monitoring server";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { nixpkgs, ... }:
    let
      host =
        file:
        nixpkgs.lib.nixosSystem {
          modules = [
            ./modules/common.nix
            file
          ];
        };
    in
    {
      nixosConfigurations = {
        p620 = host ./hosts/p620.nix;
        razer = host ./hosts/razer.nix;
        p510 = host ./hosts/p510.nix;
        dex5550 = host ./hosts/dex5550.nix;
      };
    };
}
