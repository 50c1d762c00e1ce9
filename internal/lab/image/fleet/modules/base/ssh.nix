# The machine's sshd is Debian's and stays as it is; this is the client.
{ pkgs, ... }:
{
  environment.systemPackages = [ pkgs.openssh ];
  environment.etc."homelab/ssh_known_networks".text = "192.168.1.0/24\n";
  networking.firewall.allowedTCPPorts = [ 22 ];
}
