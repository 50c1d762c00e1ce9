{ mkPackage, glibc }:
mkPackage {
  pname = "nftables";
  version = "1.1.3";
  size = 16;
  deps = [ glibc ];
}
