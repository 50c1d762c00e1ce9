{ mkPackage, ncurses }:
mkPackage {
  pname = "powertop";
  version = "2.15";
  size = 12;
  deps = [ ncurses ];
}
