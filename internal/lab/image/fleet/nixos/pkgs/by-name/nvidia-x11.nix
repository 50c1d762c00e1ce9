{ mkPackage, glibc }:
mkPackage {
  pname = "nvidia-x11";
  version = "570.153.02";
  size = 400;
  deps = [ glibc ];
}
