{ mkPackage, glibc }:
mkPackage {
  pname = "ncurses";
  version = "6.5";
  size = 32;
  deps = [ glibc ];
}
