{ mkPackage, bash }:
mkPackage {
  pname = "tlp";
  version = "1.8.0";
  size = 8;
  deps = [ bash ];
}
