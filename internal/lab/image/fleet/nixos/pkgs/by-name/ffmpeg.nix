{ mkPackage, zlib }:
mkPackage {
  pname = "ffmpeg";
  version = "7.1.1";
  size = 160;
  deps = [ zlib ];
}
