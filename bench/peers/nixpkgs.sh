# Gives every host of the lab's fleet the derivation of a real NixOS, as a text. Runs in
# its checkout.
set -eu
git tag --force before-nixpkgs >/dev/null
cat >real.nix <<'END'
nixpkgs: directory:
let
  name = baseNameOf directory;
  system = nixpkgs.lib.nixosSystem {
    system = "x86_64-linux";
    modules = [
      {
        networking.hostName = name;
        boot.loader.grub.enable = false;
        fileSystems."/" = { device = "/dev/sda1"; fsType = "ext4"; };
        services.openssh.enable = true;
        system.stateVersion = "26.05";
        documentation.enable = false;
        # What a nixpkgs that was cut down may lack.
        nixpkgs.overlays = [ (final: prev: { shellcheck-minimal = final.hello // { compiler.bootstrapAvailable = false; }; }) ];
        imports = [ ({ lib, ... }: { options.virtualisation.hypervGuest.enable = lib.mkEnableOption "nothing"; }) ];
      }
    ];
  };
in
builtins.unsafeDiscardStringContext system.config.system.build.toplevel.drvPath
END
sed -i 's|{ self }:|{ self, nixpkgs }:|
s|^  outputs =$|  inputs.nixpkgs.url = "git+file:///root/peers/nixpkgs";\n\n&|
s|^ *directory$|&\n{ environment.etc."nixos-derivation".text = import ./real.nix nixpkgs directory; }|' flake.nix
grep -q 'self, nixpkgs' flake.nix && grep -q git+file flake.nix && grep -q real.nix flake.nix
git add flake.nix real.nix
nix flake lock
git add flake.lock
git commit --quiet --message 'real NixOS hosts'
