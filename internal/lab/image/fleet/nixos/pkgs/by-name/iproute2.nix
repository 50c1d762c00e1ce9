{ mkPackage, glibc }:
mkPackage {
  pname = "iproute2";
  version = "6.15.0";
  size = 24;
  deps = [ glibc ];
}
