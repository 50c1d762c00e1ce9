{ mkPackage, ncurses }:
mkPackage {
  pname = "htop";
  version = "3.4.1";
  size = 8;
  deps = [ ncurses ];
}
