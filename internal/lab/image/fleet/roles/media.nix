{
  imports = [ ../modules/media ];
}
