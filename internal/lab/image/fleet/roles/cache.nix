{
  imports = [ ../modules/cache/serve.nix ];
}
