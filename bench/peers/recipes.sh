# The guide's recipes, as a user of just and nixos-rebuild has them. Each runs in the
# fleet's checkout. Called by the justfile where there is just, else by itself.
#
#   recipes.sh NAME [HOST...]
set -u
attr() { echo ".#nixosConfigurations.$1.config.system.build.toplevel"; }

# What nixos-rebuild-ng (nixpkgs 26.11) runs for "switch" with the target as its build
# host, as root: evaluation here, the derivations to the host, build there, profile,
# activation; six sessions over one connection of its own. Without the start of Python.
written_out() {
  host=$1
  dir=$(mktemp -d)
  ssh="-o ControlMaster=auto -o ControlPath=$dir/ssh-%n -o ControlPersist=60"
  drv=$(nix eval --raw --accept-flake-config "$(attr "$host").drvPath") || return
  NIX_SSHOPTS=$ssh nix-copy-closure --to "root@$host" "$drv" || return
  out=$(ssh $ssh "root@$host" nix --extra-experimental-features "'nix-command flakes'" build --no-link --print-out-paths --keep-going "'$drv^*'") || return
  ssh $ssh "root@$host" test -f "$out/nixos-version" || return
  ssh $ssh "root@$host" nix-env -p /nix/var/nix/profiles/system --set "$out" || return
  ssh $ssh "root@$host" test -d /run/systemd/system || return
  ssh $ssh "root@$host" systemd-run -E LOCALE_ARCHIVE -E NIXOS_INSTALL_BOOTLOADER= --collect --no-ask-password --pipe \
    --quiet --service-type=exec --unit=nixos-rebuild-switch-to-configuration "$out/bin/switch-to-configuration" switch || return
  ssh $ssh -O exit "root@$host" 2>/dev/null
  rm -rf "$dir"
}

rebuild() {
  if command -v nixos-rebuild >/dev/null; then
    nixos-rebuild switch --flake ".#$1" --target-host "root@$1" --build-host "root@$1" --no-reexec --accept-flake-config --keep-going
  else
    written_out "$1"
  fi
}

# Where Nix is done before ssh is, ssh reads the path from the pipe that grep was to
# read, and the host is deployed although nothing has changed. "mended" is with -n.
quick_deploy() {
  if nix build --accept-flake-config --no-link --print-out-paths "$(attr "$1")" | grep -q "$(ssh "root@$1" readlink /run/current-system)"; then
    echo "$1: no changes"
  else
    rebuild "$1"
  fi
}

mended() {
  if nix build --accept-flake-config --no-link --print-out-paths "$(attr "$1")" | grep -q "$(ssh -n "root@$1" readlink /run/current-system)"; then
    echo "$1: no changes"
  else
    rebuild "$1"
  fi
}

# The recipes let failures pass; here one is kept, so that no broken run is timed.
at_once() {
  what=$1
  shift
  pids=
  for host; do
    $what "$host" &
    pids="$pids $!"
  done
  code=0
  for pid in $pids; do wait "$pid" || code=1; done
  return $code
}

in_turn() {
  what=$1
  shift
  for host; do "$what" "$host" || return; done
}

build() { nix build --accept-flake-config --no-link "$(attr "$1")"; }

name=$1
shift
case $name in
  host) rebuild "$1" ;;
  test-host) build "$1" ;;
  test-all) in_turn build "$@" ;;
  deploy-all) in_turn rebuild "$@" ;;
  test-deploy) build "$1" && rebuild "$1" ;;
  test-deploy-all) in_turn build "$@" && in_turn rebuild "$@" ;;
  quick-deploy) quick_deploy "$1" ;;
  mended) mended "$1" ;;
  test-all-parallel) at_once build "$@" ;;
  deploy-all-parallel) at_once rebuild "$@" ;;
  *) exit 64 ;;
esac
