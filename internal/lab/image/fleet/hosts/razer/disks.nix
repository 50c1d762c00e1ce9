{
  boot.initrd.kernelModules = [ "ext4" ];
  environment.etc."homelab/disks".text = "/dev/nvme0n1p2 / ext4\n";
}
