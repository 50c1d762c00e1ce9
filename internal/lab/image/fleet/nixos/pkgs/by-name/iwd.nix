{ mkPackage, dbus }:
mkPackage {
  pname = "iwd";
  version = "3.8";
  size = 24;
  deps = [ dbus ];
}
