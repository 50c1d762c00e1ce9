#! /bin/sh
# install-boot-entry.sh TOPLEVEL: the lab's boot loader. The file `default`
# names the system to boot, `entries` the profile's generations ("N PATH").
# Both are replaced whole and reach the disk before this ends.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
boot=/boot/flotilla-lab
profile=/nix/var/nix/profiles/system
mkdir -p "$boot"

for link in "$profile"-*-link; do
  [ -L "$link" ] || continue
  generation=${link#"$profile"-}
  printf '%s %s\n' "${generation%-link}" "$(readlink "$link")"
done | sort -n > "$boot/entries.new"
printf '%s\n' "$(readlink -f "$1")" > "$boot/default.new"

sync "$boot/entries.new" "$boot/default.new"
mv "$boot/entries.new" "$boot/entries"
mv "$boot/default.new" "$boot/default"
sync "$boot"
