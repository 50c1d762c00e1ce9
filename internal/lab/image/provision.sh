#! /bin/sh
# Makes a Debian machine with Nix a host of the lab. Run once, as root, in the
# image, before it ever boots; running it again changes nothing.
#
# It builds the system `installer` of the miniature, makes it generation 1 of
# the system profile and the boot default, and installs the service that
# starts the boot default's system whenever the machine boots.
set -eu
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
here=$(cd "$(dirname "$0")" && pwd)
profile=/nix/var/nix/profiles/system

# switch-to-configuration asks for it.
: > /etc/NIXOS

# Debian's message of the day would stand in the way of the configuration's.
if [ -f /etc/motd ] && [ ! -L /etc/motd ]; then
  rm -f /etc/motd
fi

# Root works on the store itself: there is no daemon in an image.
unset NIX_REMOTE
export NIX_CONFIG='experimental-features = nix-command flakes
sandbox = false
substituters =
build-users-group =
warn-dirty = false'

system=$(nix build --no-link --print-out-paths --no-write-lock-file \
  "path:$here/fleet#nixosConfigurations.installer.config.system.build.toplevel")
if [ "$(readlink -f "$profile" || :)" != "$system" ]; then
  nix-env --profile "$profile" --set "$system"
fi

# What a running NixOS holds against garbage collection.
mkdir -p /nix/var/nix/gcroots
ln -sfn /run/current-system /nix/var/nix/gcroots/current-system
ln -sfn /run/booted-system /nix/var/nix/gcroots/booted-system

if [ ! -e /boot/flotilla-lab/default ]; then
  "$system/bin/switch-to-configuration" boot
fi

# NixOS has the system's commands in the PATH of every session.
mkdir -p /usr/local/bin
ln -sfn /run/current-system/sw/bin/nixos-version /usr/local/bin/nixos-version

install -D -m 0755 "$here/boot.sh" /usr/local/lib/flotilla-lab/boot
install -D -m 0644 "$here/flotilla-lab-boot.service" /etc/systemd/system/flotilla-lab-boot.service
mkdir -p /etc/systemd/system/sysinit.target.wants
ln -sfn ../flotilla-lab-boot.service /etc/systemd/system/sysinit.target.wants/flotilla-lab-boot.service

# Nobody asks for a password here, and each watcher for one takes an inotify
# instance, of which a machine has few for all its containers.
ln -sfn /dev/null /etc/systemd/system/systemd-ask-password-wall.path
ln -sfn /dev/null /etc/systemd/system/systemd-ask-password-console.path
