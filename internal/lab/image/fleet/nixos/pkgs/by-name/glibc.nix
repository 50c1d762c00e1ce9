{ mkPackage }:
mkPackage {
  pname = "glibc";
  version = "2.40";
  size = 320;
}
