{ mkPackage }:
mkPackage {
  pname = "jellyfin-web";
  version = "10.10.7";
  size = 128;
}
