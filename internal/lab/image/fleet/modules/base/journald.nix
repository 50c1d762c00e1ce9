{
  environment.etc."homelab/journald.conf".text = ''
    SystemMaxUse=256M
  '';
}
