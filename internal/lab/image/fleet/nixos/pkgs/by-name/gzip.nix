{ mkPackage, glibc }:
mkPackage {
  pname = "gzip";
  version = "1.14";
  size = 8;
  deps = [ glibc ];
}
