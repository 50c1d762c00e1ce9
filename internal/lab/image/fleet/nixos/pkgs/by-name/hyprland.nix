{ mkPackage, wayland, mesa }:
mkPackage {
  pname = "hyprland";
  version = "0.49.0";
  size = 96;
  deps = [ wayland mesa ];
}
