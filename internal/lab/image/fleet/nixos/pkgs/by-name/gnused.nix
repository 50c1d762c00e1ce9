{ mkPackage, glibc }:
mkPackage {
  pname = "gnused";
  version = "4.9";
  size = 16;
  deps = [ glibc ];
}
