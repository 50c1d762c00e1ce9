{ mkPackage, glib, wayland }:
mkPackage {
  pname = "gtk4";
  version = "4.18.5";
  size = 160;
  deps = [ glib wayland ];
}
