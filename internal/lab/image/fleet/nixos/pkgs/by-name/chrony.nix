{ mkPackage, glibc }:
mkPackage {
  pname = "chrony";
  version = "4.7";
  size = 16;
  deps = [ glibc ];
}
