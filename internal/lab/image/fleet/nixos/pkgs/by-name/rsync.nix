{ mkPackage, zlib }:
mkPackage {
  pname = "rsync";
  version = "3.4.1";
  size = 16;
  deps = [ zlib ];
}
