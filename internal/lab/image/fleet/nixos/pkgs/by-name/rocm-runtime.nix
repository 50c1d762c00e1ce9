{ mkPackage, glibc }:
mkPackage {
  pname = "rocm-runtime";
  version = "6.3.3";
  size = 300;
  deps = [ glibc ];
}
