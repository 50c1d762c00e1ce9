# A flake for tests: hosts whose toplevels are small derivations, built by
# /bin/sh without anything from nixpkgs. Each has one peculiarity.
{
  outputs =
    { self }:
    let
      make = import ./lib/make.nix;
      host = config: { config.system.build.toplevel = make config; };
    in
    {
      nixosConfigurations = {
        web = host (import ./hosts/web.nix);
        self-import = host (import "${self}/hosts/web.nix" // { name = "self-import"; });
        "a.b 100%#?" = host { name = "quoted"; };
        warns = host (import ./hosts/warns.nix);
        throws = host (import ./hosts/throws.nix);
        asserts = host (import ./hosts/asserts.nix);
        syntax = host (import ./hosts/syntax.nix);
        failing = host (import ./hosts/failing.nix { inherit make; });
        slow = host {
          name = "slow";
          script = "echo started; exec sleep 600";
        };
        system = host {
          name = "system";
          system = "riscv64-linux";
        };
        multi = host {
          name = "multi";
          outputs = [
            "out"
            "man"
          ];
          script = "echo man > $man";
        };
      };
      # Looking an attribute up below packages first would fail here.
      packages.x86_64-linux = throw "packages must not be evaluated";
    };
}
