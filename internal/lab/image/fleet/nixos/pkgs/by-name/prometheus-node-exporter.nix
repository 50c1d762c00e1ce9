{ mkPackage, glibc }:
mkPackage {
  pname = "prometheus-node-exporter";
  version = "1.9.1";
  size = 32;
  deps = [ glibc ];
}
