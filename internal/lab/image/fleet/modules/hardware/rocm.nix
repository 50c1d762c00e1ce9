{ pkgs, ... }:
{
  boot.initrd.kernelModules = [ "amdgpu" ];
  environment.systemPackages = with pkgs; [
    mesa
    nvtop
    rocm-runtime
    rocm-smi
  ];

  systemd.services.rocm-check = {
    description = "Presence of the ROCm runtime";
    wantedBy = [ "multi-user.target" ];
    path = [ pkgs.rocm-smi ];
    script = ''rocm-smi > "$RUNTIME_DIRECTORY/state"'';
    serviceConfig = {
      Type = "oneshot";
      RemainAfterExit = true;
      RuntimeDirectory = "homelab-rocm";
    };
  };
}
