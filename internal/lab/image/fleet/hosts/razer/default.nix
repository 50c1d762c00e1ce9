# Intel/NVIDIA laptop with switchable graphics.
{
  imports = [
    ../../roles/laptop.nix
    ../../modules/hardware/intel.nix
    ../../modules/hardware/intel-graphics.nix
    ../../modules/hardware/nvidia.nix
    ./audio.nix
    ./disks.nix
    ./hardware.nix
    ./network.nix
    ./packages.nix
    ./specialisations.nix
  ];
  networking.hostName = "razer";
}
