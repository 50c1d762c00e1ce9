{ pkgs, ... }:
{
  boot.kernelParams = [ "slab_nomerge" ];
  environment.systemPackages = [ pkgs.fail2ban ];
  systemd.services.fail2ban = {
    description = "Bans of guessing clients";
    wantedBy = [ "multi-user.target" ];
    script = "exec sleep infinity";
  };
}
