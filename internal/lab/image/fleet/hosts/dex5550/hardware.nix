{
  boot.initrd.kernelModules = [ "nvme" ];
  boot.kernelModules = [ "r8169" ];
}
