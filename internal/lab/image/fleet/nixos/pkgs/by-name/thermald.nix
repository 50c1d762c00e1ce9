{ mkPackage, glibc }:
mkPackage {
  pname = "thermald";
  version = "2.5.9";
  size = 12;
  deps = [ glibc ];
}
