{ mkPackage, openssl }:
mkPackage {
  pname = "sonarr";
  version = "4.0.14.2939";
  size = 96;
  deps = [ openssl ];
}
