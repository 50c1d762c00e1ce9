# Laptop with Intel and NVIDIA graphics: Intel draws, NVIDIA on demand.
{ lib, pkgs, ... }:
{
  imports = [
    ../modules/desktop.nix
    ../modules/nvidia.nix
  ];

  networking.hostName = "razer";
  nixpkgs.hostPlatform = "x86_64-linux";
  system.stateVersion = "25.05";

  boot = {
    initrd.availableKernelModules = [
      "nvme"
      "thunderbolt"
      "xhci_pci"
    ];
    kernelModules = [ "kvm-intel" ];
  };
  hardware = {
    cpu.intel.updateMicrocode = true;
    enableRedistributableFirmware = true;
    graphics.extraPackages = [ pkgs.intel-media-driver ];
    bluetooth.enable = true;

    nvidia = {
      open = true;
      powerManagement.enable = true;
      powerManagement.finegrained = true;
      prime = {
        offload.enable = true;
        offload.enableOffloadCmd = true;
        # From `lspci`; they differ between models.
        intelBusId = "PCI:0:2:0";
        nvidiaBusId = "PCI:1:0:0";
      };
    };
  };

  services = {
    thermald.enable = true;
    tlp.enable = true;
    fwupd.enable = true;
  };

  # It is rarely at home: its address is the network's affair.
  networking.networkmanager.enable = true;
  users.users.admin.extraGroups = [ "networkmanager" ];

  specialisation.on-the-go.configuration = {
    system.nixos.tags = [ "on-the-go" ];
    services.xserver.videoDrivers = lib.mkForce [ "modesetting" ];
    hardware.nvidia = {
      prime.offload.enable = lib.mkForce false;
      prime.offload.enableOffloadCmd = lib.mkForce false;
      powerManagement.enable = lib.mkForce false;
      powerManagement.finegrained = lib.mkForce false;
    };
    boot.blacklistedKernelModules = [
      "nouveau"
      "nvidia"
    ];
  };
}
