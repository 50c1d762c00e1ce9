{
  boot.initrd.kernelModules = [ "btrfs" ];
  environment.etc."homelab/disks".text = ''
    /dev/nvme0n1p2 / btrfs
    /dev/nvme1n1p1 /data btrfs
  '';
}
