{
  environment.etc."homelab/address".text = "192.168.1.127/24\n";
}
