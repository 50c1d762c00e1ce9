let
  make = import ../lib/make.nix;
in
{
  name = "nixos-system-web-26.05";
  needs = [
    (make {
      name = "openssh-9.9p1";
      script = ''
        echo '@nix { "action": "setPhase", "phase": "buildPhase" }' >&''${NIX_LOG_FD:-2}
        echo "compiling the daemon"
        printf '\033[32mgreen\033[0m\n'
      '';
    })
    (make { name = "etc"; })
  ];
}
