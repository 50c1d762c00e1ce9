# AMD workstation: ROCm, language models, and the fleet's binary cache.
{ pkgs, ... }:
{
  imports = [
    ../modules/cache-server.nix
    ../modules/desktop.nix
    ../modules/static-address.nix
  ];

  networking.hostName = "p620";
  nixpkgs.hostPlatform = "x86_64-linux";
  system.stateVersion = "25.05";

  boot = {
    initrd.availableKernelModules = [
      "nvme"
      "xhci_pci"
      "usbhid"
    ];
    kernelModules = [ "kvm-amd" ];
    # Builds for other architectures of the house.
    binfmt.emulatedSystems = [ "aarch64-linux" ];
  };
  hardware = {
    cpu.amd.updateMicrocode = true;
    enableRedistributableFirmware = true;
    graphics.enable = true;
    amdgpu = {
      initrd.enable = true;
      opencl.enable = true;
    };
  };

  # Programs that look for ROCm where it usually is.
  systemd.tmpfiles.rules = [ "L+ /opt/rocm/hip - - - - ${pkgs.rocmPackages.clr}" ];
  services.ollama = {
    enable = true;
    package = pkgs.ollama-rocm;
  };

  # The others build here.
  nix.settings.max-jobs = "auto";
  users.users.admin.extraGroups = [
    "render"
    "video"
  ];
  environment.systemPackages = [ pkgs.rocmPackages.rocminfo ];
}
