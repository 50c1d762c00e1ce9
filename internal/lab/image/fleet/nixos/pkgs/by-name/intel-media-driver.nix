{ mkPackage, glibc }:
mkPackage {
  pname = "intel-media-driver";
  version = "25.2.3";
  size = 96;
  deps = [ glibc ];
}
