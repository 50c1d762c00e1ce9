{ config, pkgs, ... }:
{
  environment.systemPackages = [ pkgs.harmonia ];
  environment.etc."nix-cache-info".text = ''
    StoreDir: /nix/store
    WantMassQuery: 1
    Priority: 30
  '';
  systemd.services.nix-serve = {
    description = "Binary cache of the fleet";
    wantedBy = [ "multi-user.target" ];
    path = [ pkgs.tiny-httpd ];
    script = "exec tiny-httpd 5000 /etc/nix-cache-info";
    serviceConfig.Restart = "on-failure";
  };
  networking.firewall.allowedTCPPorts = [ 5000 ];
}
