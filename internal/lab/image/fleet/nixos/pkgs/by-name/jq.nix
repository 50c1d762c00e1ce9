{ mkPackage, glibc }:
mkPackage {
  pname = "jq";
  version = "1.8.0";
  size = 16;
  deps = [ glibc ];
}
