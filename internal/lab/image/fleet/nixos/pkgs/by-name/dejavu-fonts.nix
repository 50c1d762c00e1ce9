{ mkPackage }:
mkPackage {
  pname = "dejavu-fonts";
  version = "2.37";
  size = 64;
}
