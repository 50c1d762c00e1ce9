{ mkPackage, ffmpeg }:
mkPackage {
  pname = "jellyfin";
  version = "10.10.7";
  size = 320;
  deps = [ ffmpeg ];
}
