# A binary cache of this host's store, on port 5000. Harmonia speaks the
# protocol of nix-serve; services.nix-serve does as well here.
{
  services.harmonia.cache = {
    enable = true;
    # Made once on the host, never in the store; see README.md.
    signKeyPaths = [ "/var/lib/secrets/cache.secret" ];
    settings.bind = "[::]:5000";
  };
  networking.firewall.allowedTCPPorts = [ 5000 ];
}
