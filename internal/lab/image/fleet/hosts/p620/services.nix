{ pkgs, ... }:
{
  systemd.services.p620-models = {
    description = "Language models on the GPU";
    wantedBy = [ "multi-user.target" ];
    path = [ pkgs.ollama ];
    environment = {
      HSA_OVERRIDE_GFX_VERSION = "11.0.0";
      MODEL = "small";
    };
    script = ''
      echo "$MODEL" > "$RUNTIME_DIRECTORY/model"
      exec sleep infinity
    '';
    serviceConfig.RuntimeDirectory = "p620-models";
  };
}
