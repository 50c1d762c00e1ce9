{ mkPackage, nvidia-x11 }:
mkPackage {
  pname = "cuda-toolkit";
  version = "12.8.1";
  size = 480;
  deps = [ nvidia-x11 ];
}
