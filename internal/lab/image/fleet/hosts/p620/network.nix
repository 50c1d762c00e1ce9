{
  environment.etc."homelab/address".text = "192.168.1.97/24\n";
}
