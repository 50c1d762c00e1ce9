# What every host has.
{
  imports = [
    ./journald.nix
    ./locale.nix
    ./motd.nix
    ./nix.nix
    ./packages.nix
    ./ssh.nix
    ./time.nix
    ./users.nix
    ../network/interface.nix
  ];
}
