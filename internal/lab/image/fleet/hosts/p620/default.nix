# AMD workstation with ROCm; serves the fleet's binary cache.
{
  imports = [
    ../../roles/workstation.nix
    ../../roles/cache.nix
    ../../modules/hardware/amd.nix
    ../../modules/hardware/rocm.nix
    ../../modules/monitoring/exporter.nix
    ./disks.nix
    ./hardware.nix
    ./network.nix
    ./packages.nix
    ./services.nix
  ];
  networking.hostName = "p620";
}
