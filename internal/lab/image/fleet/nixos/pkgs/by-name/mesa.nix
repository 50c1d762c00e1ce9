{ mkPackage, glibc, zlib }:
mkPackage {
  pname = "mesa";
  version = "25.1.3";
  size = 256;
  deps = [ glibc zlib ];
}
