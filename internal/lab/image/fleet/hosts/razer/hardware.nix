{
  boot.initrd.kernelModules = [
    "nvme"
    "xhci_pci"
  ];
  boot.kernelModules = [ "iwlwifi" ];
  hardware.nvidia.powerManagement = true;
}
