{ pkgs, ... }:
{
  environment.systemPackages = with pkgs; [
    bash
    coreutils
    curl
    findutils
    gawk
    git
    gnugrep
    gnused
    gzip
    htop
    iproute2
    less
    rsync
    tmux
    util-linux
    vim
  ];
}
