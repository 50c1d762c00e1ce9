# Answers what a status shows besides the survey, as "key value" lines without
# an end: it stands before survey.sh, in a subshell, and in the same session. It
# changes nothing, and takes no lock, not even to see whether it is held. No
# arguments.
(
PATH=/run/wrappers/bin:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:$PATH
export LC_ALL=C PATH
say() { printf '%s %s\n' "$1" "$2"; }
# A service manager that is stuck is not to hide all the rest.
ask() { timeout 5 systemctl "$@" 2>/dev/null; }

say status/nix "$(nix --version 2>/dev/null)"
say status/nixos "$(head -n 1 /run/current-system/nixos-version 2>/dev/null)"
say status/revision "$(nixos-version --configuration-revision 2>/dev/null)"
say status/now "$(date +%s)"
# The link itself, which is as old as the generation.
say status/generation-made "$(stat -c %Y "/nix/var/nix/profiles/$(readlink /nix/var/nix/profiles/system 2>/dev/null)" 2>/dev/null)"
read -r up idle 2>/dev/null </proc/uptime && say status/uptime "$up"
say status/store-kib "$(df -Pk /nix/store 2>/dev/null | awk 'END { print $2 }')"
say status/state "$(ask is-system-running)"
say status/failed "$(ask list-units --state=failed --plain --no-legend --no-pager | awk '{ print $1 }' | head -n 200 | tr '\n' ' ')"
# Activations that run: ours, and nixos-rebuild's.
say status/activating "$(ask list-units --state=running,start --plain --no-legend --no-pager 'flotilla-*.service' nixos-rebuild-switch-to-configuration.service | awk '{ print $1 }' | head -n 20 | tr '\n' ' ')"

say status/inhibitors "$(head -c 65536 /run/current-system/switch-inhibitors 2>/dev/null | tr '\n' ' ')"

# switch-to-configuration holds a flock(2) on this file while it runs.
lock=/run/nixos/switch-to-configuration.lock
if [ -e "$lock" ] && [ -r /proc/locks ]; then
  inode=$(stat -c %i "$lock" 2>/dev/null) dev=$(stat -c %d "$lock" 2>/dev/null)
  # As the kernel writes its device numbers, which stat gives encoded.
  id=$(printf '%02x:%02x:%s' $(((dev >> 8) & 4095)) $(((dev & 255) | ((dev >> 12) & 1048320))) "$inode")
  say status/lock "$(awk -v id="$id" '$2 == "FLOCK" && $6 == id { print "held"; exit }' /proc/locks 2>/dev/null)"
fi
)
