{ mkPackage, glibc }:
mkPackage {
  pname = "dbus";
  version = "1.16.2";
  size = 24;
  deps = [ glibc ];
}
