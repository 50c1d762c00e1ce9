{
  imports = [ ../modules/network/dns.nix ];
}
