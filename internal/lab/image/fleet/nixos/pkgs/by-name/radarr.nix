{ mkPackage, openssl }:
mkPackage {
  pname = "radarr";
  version = "5.24.1.10084";
  size = 96;
  deps = [ openssl ];
}
