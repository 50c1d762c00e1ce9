{ mkPackage, glibc }:
mkPackage {
  pname = "ollama";
  version = "0.9.0";
  size = 96;
  deps = [ glibc ];
}
