{
  boot.initrd.kernelModules = [ "xhci_pci" ];
  boot.kernelParams = [ "intel_iommu=on" ];
}
