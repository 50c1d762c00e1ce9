{ mkPackage, ncurses }:
mkPackage {
  pname = "tmux";
  version = "3.5a";
  size = 16;
  deps = [ ncurses ];
}
