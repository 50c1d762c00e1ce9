{ mkPackage }:
mkPackage {
  pname = "noto-fonts";
  version = "2025.06.01";
  size = 256;
}
