{ mkPackage, glibc }:
mkPackage {
  pname = "coreutils";
  version = "9.7";
  size = 64;
  deps = [ glibc ];
}
