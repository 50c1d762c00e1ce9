{
  homelab.wifi.networks = [
    "home"
    "train"
  ];
}
