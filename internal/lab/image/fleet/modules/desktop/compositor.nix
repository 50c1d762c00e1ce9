{ pkgs, ... }:
{
  environment.systemPackages = with pkgs; [
    hyprland
    waybar
  ];
  systemd.services.greeter = {
    description = "Login screen";
    wantedBy = [ "multi-user.target" ];
    script = "exec sleep infinity";
    # A changed login screen is no reason to end the session.
    restartIfChanged = false;
  };
}
