{ mkPackage, glibc }:
mkPackage {
  pname = "xz";
  version = "5.8.1";
  size = 16;
  deps = [ glibc ];
}
