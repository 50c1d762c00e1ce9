{ mkPackage, nix }:
mkPackage {
  pname = "harmonia";
  version = "2.1.0";
  size = 32;
  deps = [ nix ];
}
