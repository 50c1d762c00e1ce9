{ mkPackage }:
mkPackage {
  pname = "linux-firmware";
  version = "20250509";
  size = 512;
}
