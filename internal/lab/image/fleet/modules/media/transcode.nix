{ config, lib, pkgs, ... }:
{
  options.homelab.transcode.jobs = lib.mkOption {
    type = lib.types.int;
    default = 2;
    description = "Films transcoded at once.";
  };
  config = {
    environment.systemPackages = [ pkgs.ffmpeg ];
    systemd.services.transcode = {
      description = "Transcoding queue";
      wantedBy = [ "multi-user.target" ];
      environment.JOBS = toString config.homelab.transcode.jobs;
      script = ''
        echo "$JOBS" > "$RUNTIME_DIRECTORY/jobs"
        exec sleep infinity
      '';
      serviceConfig.RuntimeDirectory = "homelab-transcode";
    };
  };
}
