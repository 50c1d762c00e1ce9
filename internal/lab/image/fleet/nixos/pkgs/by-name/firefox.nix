{ mkPackage, gtk4, pipewire }:
mkPackage {
  pname = "firefox";
  version = "139.0.4";
  size = 448;
  deps = [ gtk4 pipewire ];
}
