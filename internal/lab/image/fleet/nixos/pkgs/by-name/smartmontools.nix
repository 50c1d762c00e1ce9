{ mkPackage, glibc }:
mkPackage {
  pname = "smartmontools";
  version = "7.5";
  size = 16;
  deps = [ glibc ];
}
