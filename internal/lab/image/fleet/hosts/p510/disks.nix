{
  boot.initrd.kernelModules = [ "ext4" ];
  environment.etc."homelab/disks".text = ''
    /dev/sda2 / ext4
    /dev/sdb1 /media ext4
  '';
}
