{ mkPackage, openssl, curl, xz }:
mkPackage {
  pname = "nix";
  version = "2.28.4";
  size = 192;
  deps = [ openssl curl xz ];
}
