{ mkPackage, glibc, ncurses }:
mkPackage {
  pname = "util-linux";
  version = "2.41";
  size = 40;
  deps = [ glibc ncurses ];
}
