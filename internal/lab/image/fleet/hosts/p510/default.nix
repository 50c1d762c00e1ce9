# Xeon/NVIDIA media server with CUDA.
{
  imports = [
    ../../roles/media.nix
    ../../roles/server.nix
    ../../modules/hardware/cuda.nix
    ../../modules/hardware/intel.nix
    ../../modules/hardware/nvidia.nix
    ./arr.nix
    ./disks.nix
    ./hardware.nix
    ./network.nix
  ];
  networking.hostName = "p510";
}
