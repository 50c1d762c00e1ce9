{ mkPackage, glibc }:
mkPackage {
  pname = "tailscale";
  version = "1.84.2";
  size = 160;
  deps = [ glibc ];
}
