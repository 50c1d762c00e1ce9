{ mkPackage, openssl, zlib, curl }:
mkPackage {
  pname = "git";
  version = "2.50.1";
  size = 128;
  deps = [ openssl zlib curl ];
}
