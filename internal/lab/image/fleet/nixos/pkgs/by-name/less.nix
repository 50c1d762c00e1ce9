{ mkPackage, ncurses }:
mkPackage {
  pname = "less";
  version = "679";
  size = 8;
  deps = [ ncurses ];
}
