{ mkPackage, openssl }:
mkPackage {
  pname = "qbittorrent";
  version = "5.1.0";
  size = 64;
  deps = [ openssl ];
}
