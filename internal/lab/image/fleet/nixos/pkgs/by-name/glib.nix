{ mkPackage, zlib }:
mkPackage {
  pname = "glib";
  version = "2.84.2";
  size = 80;
  deps = [ zlib ];
}
