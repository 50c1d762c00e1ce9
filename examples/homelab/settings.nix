# What differs from one homelab to the next. Fill it in before the first
# deployment: without a key nobody can log in.
{
  # Public keys of those who may log in and deploy.
  authorizedKeys = [ ];

  # The cache's public key, from `nix key generate-secret`; see README.md.
  # Empty: the hosts do not use the cache.
  cachePublicKey = "";

  network = {
    gateway = "192.168.1.1";
    prefixLength = 24;
    addresses = {
      p620 = "192.168.1.97";
      p510 = "192.168.1.127";
      razer = "192.168.1.188";
      dex5550 = "192.168.1.222";
    };
  };
}
