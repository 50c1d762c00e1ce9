# Ways to go wrong, be slow or be big, for tests of a deployment tool. All are
# off; a test sets one in a host's file.
{
  imports = [
    ./bulk.nix
    ./evaluation.nix
    ./failures.nix
    ./slowness.nix
  ];
}
