{ mkPackage, wayland }:
mkPackage {
  pname = "alacritty";
  version = "0.15.1";
  size = 48;
  deps = [ wayland ];
}
