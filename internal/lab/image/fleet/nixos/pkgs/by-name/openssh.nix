{ mkPackage, openssl, zlib }:
mkPackage {
  pname = "openssh";
  version = "10.0p2";
  size = 48;
  deps = [ openssl zlib ];
}
