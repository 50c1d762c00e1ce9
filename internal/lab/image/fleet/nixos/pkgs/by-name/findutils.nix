{ mkPackage, glibc }:
mkPackage {
  pname = "findutils";
  version = "4.10.0";
  size = 24;
  deps = [ glibc ];
}
