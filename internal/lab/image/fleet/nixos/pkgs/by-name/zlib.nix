{ mkPackage, glibc }:
mkPackage {
  pname = "zlib";
  version = "1.3.1";
  size = 12;
  deps = [ glibc ];
}
