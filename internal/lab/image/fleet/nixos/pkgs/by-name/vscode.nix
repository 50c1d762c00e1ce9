{ mkPackage, gtk4 }:
mkPackage {
  pname = "vscode";
  version = "1.100.3";
  size = 300;
  deps = [ gtk4 ];
}
