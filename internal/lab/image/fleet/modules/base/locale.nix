{
  environment.etc."homelab/locale".text = ''
    LANG=en_GB.UTF-8
    KEYMAP=us
  '';
}
