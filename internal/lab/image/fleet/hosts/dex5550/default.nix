# SFF server: DNS, Prometheus and Grafana for the fleet, exit node of the mesh.
{
  imports = [
    ../../roles/dns.nix
    ../../roles/monitoring.nix
    ../../roles/server.nix
    ../../modules/hardware/intel.nix
    ../../modules/hardware/intel-graphics.nix
    ./disks.nix
    ./dns.nix
    ./hardware.nix
    ./network.nix
  ];
  networking.hostName = "dex5550";
}
