#! /bin/sh
# The lab's firmware: starts the system that the boot loader's entry names, or
# the profile's if that one is gone.
set -u
default=/boot/flotilla-lab/default
profile=/nix/var/nix/profiles/system

system=$(cat "$default" 2> /dev/null || :)
if [ ! -x "$system/init" ]; then
  echo "no system at ${system:-$default}; booting the profile's" >&2
  system=$(readlink -f "$profile")
fi
if [ ! -x "$system/init" ]; then
  echo "no system to boot" >&2
  exit 1
fi
echo "booting $system"
exec "$system/init"
