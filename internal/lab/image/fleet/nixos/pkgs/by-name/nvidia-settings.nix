{ mkPackage, nvidia-x11 }:
mkPackage {
  pname = "nvidia-settings";
  version = "570.153.02";
  size = 24;
  deps = [ nvidia-x11 ];
}
