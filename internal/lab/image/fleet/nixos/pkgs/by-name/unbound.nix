{ mkPackage, openssl }:
mkPackage {
  pname = "unbound";
  version = "1.23.0";
  size = 40;
  deps = [ openssl ];
}
