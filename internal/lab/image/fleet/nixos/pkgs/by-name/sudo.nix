{ mkPackage, glibc }:
mkPackage {
  pname = "sudo";
  version = "1.9.17";
  size = 24;
  deps = [ glibc ];
}
