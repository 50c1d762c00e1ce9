{ mkPackage, glibc }:
mkPackage {
  pname = "prometheus";
  version = "3.4.1";
  size = 200;
  deps = [ glibc ];
}
