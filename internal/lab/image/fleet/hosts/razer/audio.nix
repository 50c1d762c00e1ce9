# Change the rate and deploy: the unit restarts, and /run/razer-audio/state
# says so.
{
  systemd.services.razer-audio = {
    description = "Loudspeaker setup";
    wantedBy = [ "multi-user.target" ];
    environment = {
      RATE = "48000";
      PROFILE = "stereo";
    };
    script = ''
      echo "rate $RATE, profile $PROFILE" > "$RUNTIME_DIRECTORY/state"
      exec sleep infinity
    '';
    serviceConfig.RuntimeDirectory = "razer-audio";
  };
}
