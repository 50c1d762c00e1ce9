{ mkPackage, glibc }:
mkPackage {
  pname = "openssl";
  version = "3.4.1";
  size = 96;
  deps = [ glibc ];
}
