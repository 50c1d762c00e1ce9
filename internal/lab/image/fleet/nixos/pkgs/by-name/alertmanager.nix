{ mkPackage, glibc }:
mkPackage {
  pname = "alertmanager";
  version = "0.28.1";
  size = 48;
  deps = [ glibc ];
}
