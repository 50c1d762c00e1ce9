{ mkPackage, glib, dbus }:
mkPackage {
  pname = "pipewire";
  version = "1.4.5";
  size = 64;
  deps = [ glib dbus ];
}
