{ mkPackage, bash }:
mkPackage {
  pname = "fail2ban";
  version = "1.1.0";
  size = 16;
  deps = [ bash ];
}
