{ mkPackage, glibc }:
mkPackage {
  pname = "brightnessctl";
  version = "0.5.1";
  size = 4;
  deps = [ glibc ];
}
