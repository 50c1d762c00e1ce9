{
  imports = [
    ./backup.nix
    ./hardening.nix
    ../monitoring/exporter.nix
  ];
}
