# Reboots a host that is still in the boot BOOT, in a detached unit: what becomes of
# this session does not matter to it. Answers are "key value" lines that end with
# "end"; the host may be gone before they have arrived.
#
#   UNIT BOOT
system=/run/wrappers/bin:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
PATH=$system:$PATH
export LC_ALL=C PATH
say() { printf '%s %s\n' "$1" "$2"; }
finish() { say end "$1"; exit 0; }
say flotilla-reboot 1

[ "$(cat /proc/sys/kernel/random/boot_id)" = "$2" ] || finish rebooted
[ -d /run/systemd/system ] || finish no-systemd
# A deployment that has the host is not cut off. One whose timers are gone is over, unless
# what one of them had started was killed, and begins anew.
base=/run/flotilla
goes_back() {
  case $(systemctl show -p SubState --value -- "flotilla-guard-$1.service" "flotilla-confirm-$1.service" 2>/dev/null) in
    *start* | *running* | *stop* | *final*) return 0 ;;
  esac
  return 1
}
if id=$(readlink "$base/lock") &&
  { systemctl is-active --quiet -- "flotilla-guard-$id.timer" "flotilla-confirm-$id.timer" || goes_back "$id"; }; then
  while read -r key value; do
    case $key in by | since) say "lock/$key" "$value" ;; esac
  done 2>/dev/null <"$base/$id/deployment"
  ! systemctl is-active --quiet -- "flotilla-confirm-$id.timer" || say lock/waits yes
  finish locked
fi
problem=$(systemd-run --quiet --collect --no-block --unit="$1" --no-ask-password -E PATH="$system" \
  -- "$(command -v systemctl)" --no-wall reboot 2>&1) || { say problem "$(printf '%s' "$problem" | tr '\n' ' ')"; finish refused; }
finish ok
