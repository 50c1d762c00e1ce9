{
  description = "The homelab in miniature: four hosts, built without nixpkgs and without a network";

  outputs =
    { self }:
    let
      # In a real flake: inputs.nixpkgs.lib.nixosSystem.
      inherit (import ./nixos) nixosSystem;

      host =
        directory:
        nixosSystem {
          modules = [
            ./modules/base
            ./modules/lab
            directory
          ];
          # Lazy: a host that does not look at it does not depend on it.
          specialArgs = { inherit self; };
        };
    in
    {
      nixosConfigurations = {
        p620 = host ./hosts/p620;
        razer = host ./hosts/razer;
        p510 = host ./hosts/p510;
        dex5550 = host ./hosts/dex5550;

        # What a lab machine runs before its first deployment.
        installer = host ./hosts/installer;
      };
    };
}
