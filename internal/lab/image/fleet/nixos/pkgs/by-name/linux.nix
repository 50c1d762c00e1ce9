{ runCommand, version }:
runCommand "linux-${version}" { inherit version; } ''
  mkdir -p "$out/lib/modules/$version"
  yes "bzImage $version" | head -c 262144 > "$out/bzImage"
  for module in ext4 btrfs nvme xhci_pci r8169 iwlwifi amdgpu i915 kvm-amd kvm-intel; do
    echo "$module $version" > "$out/lib/modules/$version/$module.ko"
  done
''
// {
  inherit version;
  pname = "linux";
}
