# Xeon with an NVIDIA card: media, transcoding, CUDA. No screen.
{ pkgs, ... }:
{
  imports = [
    ../modules/nvidia.nix
    ../modules/static-address.nix
  ];

  networking.hostName = "p510";
  nixpkgs.hostPlatform = "x86_64-linux";
  system.stateVersion = "25.05";

  boot = {
    initrd.availableKernelModules = [
      "ahci"
      "ehci_pci"
      "sd_mod"
      "xhci_pci"
    ];
    kernelModules = [ "kvm-intel" ];
  };
  fileSystems."/media" = {
    device = "/dev/disk/by-label/media";
    fsType = "ext4";
    # A dead disk must not keep the host from booting.
    options = [ "nofail" ];
  };

  hardware = {
    cpu.intel.updateMicrocode = true;
    enableRedistributableFirmware = true;
    # Older than Turing: the open modules do not know the card.
    nvidia.open = false;
    nvidia.nvidiaPersistenced = true;
    # CUDA for containers.
    nvidia-container-toolkit.enable = true;
  };
  virtualisation.podman.enable = true;
  environment.systemPackages = [ pkgs.cudaPackages.cuda_nvcc ];

  users.groups.media.members = [ "admin" ];
  services = {
    jellyfin = {
      enable = true;
      group = "media";
      openFirewall = true;
    };
    sonarr = {
      enable = true;
      group = "media";
      openFirewall = true;
    };
    radarr = {
      enable = true;
      group = "media";
      openFirewall = true;
    };
    smartd.enable = true;
  };
}
