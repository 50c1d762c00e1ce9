{ mkPackage, ncurses }:
mkPackage {
  pname = "vim";
  version = "9.1.1336";
  size = 96;
  deps = [ ncurses ];
}
