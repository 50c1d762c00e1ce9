{ mkPackage, glibc }:
mkPackage {
  pname = "bash";
  version = "5.2.37";
  size = 48;
  deps = [ glibc ];
}
