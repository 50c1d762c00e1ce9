{ mkPackage }:
mkPackage {
  pname = "microcode-amd";
  version = "20250509";
  size = 64;
}
