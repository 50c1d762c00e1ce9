{ mkPackage, rocm-runtime }:
mkPackage {
  pname = "rocm-smi";
  version = "6.3.3";
  size = 16;
  deps = [ rocm-runtime ];
}
