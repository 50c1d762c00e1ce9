{ mkPackage, mesa }:
mkPackage {
  pname = "blender";
  version = "4.4.3";
  size = 400;
  deps = [ mesa ];
}
