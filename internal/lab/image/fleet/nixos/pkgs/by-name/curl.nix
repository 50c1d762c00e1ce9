{ mkPackage, openssl, zlib }:
mkPackage {
  pname = "curl";
  version = "8.14.1";
  size = 32;
  deps = [ openssl zlib ];
}
