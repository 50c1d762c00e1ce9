# Puts the flake's revision into the system, for `nixos-version --json`. No
# host imports this: with it a host's system changes with every commit, and no
# deployment can find it unchanged.
{ self, ... }:
{
  system.configurationRevision = self.rev or self.dirtyRev or null;
}
