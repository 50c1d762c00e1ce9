{ mkPackage, glibc }:
mkPackage {
  pname = "restic";
  version = "0.18.0";
  size = 48;
  deps = [ glibc ];
}
