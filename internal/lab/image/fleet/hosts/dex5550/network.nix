{
  environment.etc."homelab/address".text = "192.168.1.222/24\n";
  homelab.tailscale = {
    exitNode = true;
    routes = [ "192.168.1.0/24" ];
  };
}
