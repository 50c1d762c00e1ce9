{ pkgs, ... }:
{
  programs.sway.enable = true;
  services.greetd = {
    enable = true;
    settings.default_session.command = "${pkgs.tuigreet}/bin/tuigreet --time --cmd sway";
  };

  security.rtkit.enable = true;
  services.pipewire = {
    enable = true;
    alsa.enable = true;
    pulse.enable = true;
  };

  fonts.packages = with pkgs; [
    dejavu_fonts
    noto-fonts
  ];
  programs.firefox.enable = true;
  environment.systemPackages = [ pkgs.alacritty ];
}
