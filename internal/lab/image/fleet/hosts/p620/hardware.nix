{
  boot.initrd.kernelModules = [
    "nvme"
    "xhci_pci"
  ];
  boot.kernelParams = [ "amdgpu.ppfeaturemask=0xffffffff" ];
}
