{ mkPackage, xz, zlib }:
mkPackage {
  pname = "kmod";
  version = "34.2";
  size = 12;
  deps = [ xz zlib ];
}
