{ mkPackage, gtk4 }:
mkPackage {
  pname = "waybar";
  version = "0.12.0";
  size = 24;
  deps = [ gtk4 ];
}
