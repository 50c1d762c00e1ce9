{ mkPackage, glibc }:
mkPackage {
  pname = "wayland";
  version = "1.23.1";
  size = 16;
  deps = [ glibc ];
}
