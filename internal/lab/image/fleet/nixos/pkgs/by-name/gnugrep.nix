{ mkPackage, glibc }:
mkPackage {
  pname = "gnugrep";
  version = "3.12";
  size = 16;
  deps = [ glibc ];
}
