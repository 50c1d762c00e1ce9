{ mkPackage, glibc }:
mkPackage {
  pname = "ripgrep";
  version = "14.1.1";
  size = 40;
  deps = [ glibc ];
}
