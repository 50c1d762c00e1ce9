{ mkPackage, openssl }:
mkPackage {
  pname = "grafana";
  version = "12.0.1";
  size = 320;
  deps = [ openssl ];
}
