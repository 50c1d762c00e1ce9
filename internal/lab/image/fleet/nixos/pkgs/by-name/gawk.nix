{ mkPackage, glibc }:
mkPackage {
  pname = "gawk";
  version = "5.3.2";
  size = 24;
  deps = [ glibc ];
}
