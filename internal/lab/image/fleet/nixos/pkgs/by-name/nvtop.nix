{ mkPackage, ncurses }:
mkPackage {
  pname = "nvtop";
  version = "3.2.0";
  size = 8;
  deps = [ ncurses ];
}
