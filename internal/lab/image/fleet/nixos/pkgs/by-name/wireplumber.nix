{ mkPackage, pipewire }:
mkPackage {
  pname = "wireplumber";
  version = "0.5.10";
  size = 24;
  deps = [ pipewire ];
}
