{ mkPackage }:
mkPackage {
  pname = "microcode-intel";
  version = "20250512";
  size = 64;
}
