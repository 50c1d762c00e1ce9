#! /bin/sh
# switch-to-configuration of the miniature: the actions, their order, the
# messages and the exit codes of nixpkgs' switch-to-configuration-ng, for the
# units of this configuration. What that does beside, and this does not: user
# units, sockets, mounts and swap from fstab, template instances and drop-ins.
#
# Exit: 0 done, 1 usage, checks or boot loader, 2 activation script, 4 a unit
# failed (the system is switched nevertheless), 11 another one runs,
# 100 only a reboot leads there, 101 nobody reads the messages any more.

# The real one does not survive a closed stderr either.
trap '' PIPE
say() {
  printf '%s\n' "$*" >&2 || exit 101
}

PATH=/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
set -f
toplevel='@out@'
new_units=$toplevel/etc/systemd/system
# The units now installed: /etc/static is the active configuration's until
# `activate` moves it.
old_units=/etc/static/systemd/system

usage() {
  say "Usage: switch-to-configuration [check|switch|boot|test|dry-activate]
check:        run pre-switch checks and exit
switch:       make the configuration the boot default and activate now
boot:         make the configuration the boot default
test:         activate the configuration, but don't make it the boot default
dry-activate: show what would be done if this configuration were activated
"
  exit 1
}

action=${1-}
case $action in
  check | switch | boot | test | dry-activate) ;;
  *) usage ;;
esac
if [ "$(id -u)" -ne 0 ]; then
  say "Error: switch-to-configuration must be run as the root user"
  exit 1
fi
NIXOS_ACTION=$action
export NIXOS_ACTION

if [ ! -f /etc/NIXOS ]; then
  say "This is not a NixOS installation!"
  exit 1
fi

mkdir -p /run/nixos
chmod 0755 /run/nixos
exec 9>> /run/nixos/switch-to-configuration.lock
if ! flock -n 9; then
  say "Could not acquire lock"
  exit 11
fi

# Children that outlive this must not keep the lock: all get 9>&-.
if [ "${NIXOS_NO_CHECK-}" != 1 ]; then
  if ! '@preSwitchChecks@' "$toplevel" "$action" >&2 9>&-; then
    say "Pre-switch checks failed"
    exit 1
  fi
fi
[ "$action" = check ] && exit 0

case $action in
  switch | boot)
    if ! '@installBootLoader@' "$toplevel" >&2 9>&-; then
      say "Failed to install bootloader"
      exit 1
    fi
    ;;
esac

[ "${NIXOS_NO_SYNC-}" = 1 ] || sync -f /nix/store
[ "$action" = boot ] && exit 0

old_interface=$(cat /run/current-system/init-interface-version 2> /dev/null)
if [ "$old_interface" != "$(cat "$toplevel/init-interface-version")" ]; then
  say "Warning: the new NixOS configuration has an ‘init’ that is
incompatible with the current configuration.  The new configuration
won't take effect until you reboot the system.
"
  exit 100
fi

# Sets of units: a variable holds the names, a line each, between newlines.
nl='
'
has() {
  eval "case \$$1 in *\"\$nl\$2\$nl\"*) return 0 ;; *) return 1 ;; esac"
}
add() {
  has "$1" "$2" || eval "$1=\$$1\$2\$nl"
}
remove() {
  if has "$1" "$2"; then
    eval "$1=\$nl\$(printf %s \"\$$1\" | grep -vxF -e \"\$2\" | grep .)\$nl"
    [ "$(eval "printf %s \"\$$1\"" | tr -d '\n')" != "" ] || eval "$1=\$nl"
  fi
}
listed() {
  eval "printf %s \"\$$1\"" | grep . | sort -f | paste -sd , - | sed 's/,/, /g'
}
read_list() {
  printf '%s' "$nl"
  grep . "$1" 2> /dev/null || :
  # Command substitution would drop a final newline.
  printf .
}
load() {
  eval "$1=\$(read_list \"\$2\")"
  eval "$1=\${$1%.}"
}

# What is still to be done is on record, so that the next run completes an
# interrupted one.
record() {
  [ "$action" = dry-activate ] || printf '%s\n' "$2" >> "/run/nixos/$1-list"
}
load start /run/nixos/start-list
load restart /run/nixos/restart-list
load reload /run/nixos/reload-list
stop=$nl
skip=$nl
filter=$nl

# Units that are not inactive, with state and substate.
active_units() {
  systemctl list-units --all --full --plain --no-legend 9>&- | awk '$3 != "inactive" { print $1, $3, $4 }'
}
active_before=$(active_units)
state_of() {
  printf '%s\n' "$active_before" | awk -v unit="$1" '$1 == unit { print $2; exit }'
}

# setting FILE SECTION KEY DEFAULT: success if the unit says yes.
setting() {
  answer=$(awk -v section="[$2]" -v key="$3" '
    /^\[/ { inside = $0 == section; next }
    inside && index($0, key "=") == 1 { value = substr($0, length(key) + 2) }
    END { print value }
  ' "$1")
  case ${answer:-$4} in
    1 | yes | true | on) return 0 ;;
    *) return 1 ;;
  esac
}

changed_unit() {
  unit=$1
  file=$2
  case $unit in
    *.path | *.slice | *.socket) return ;;
    *.mount)
      add restart "$unit"
      record restart "$unit"
      return
      ;;
  esac
  if setting "$file" Service X-ReloadIfChanged no; then
    add reload "$unit"
    record reload "$unit"
  elif ! setting "$file" Service X-RestartIfChanged yes \
    || setting "$file" Unit RefuseManualStop no \
    || setting "$file" Unit X-OnlyManualStart no; then
    add skip "$unit"
  else
    case $unit in
      *.service) by_stopping=$(setting "$file" Service X-StopIfChanged yes && echo yes) ;;
      *) by_stopping= ;;
    esac
    if [ "$by_stopping" ]; then
      add stop "$unit"
      add start "$unit"
      record start "$unit"
    else
      add restart "$unit"
      record restart "$unit"
    fi
    remove reload "$unit"
  fi
}

# Targets are always started: that starts what a new configuration hangs on
# them. These three are the ones of Debian's that a configuration extends.
for target in multi-user.target sockets.target timers.target; do
  add start "$target"
  add filter "$target"
done

if [ -d "$old_units" ]; then
  for unit in $(find "$old_units/" -mindepth 1 -maxdepth 1 ! -name '*.wants' ! -name '*.requires' \
    -printf '%f\n'); do
    # A unit of the same name that somebody else put there is not ours.
    [ "$(readlink "/etc/systemd/system/$unit")" = "/etc/static/systemd/system/$unit" ] || continue
    case $(state_of "$unit") in
      active | activating) ;;
      *) continue ;;
    esac
    if [ ! -f "$new_units/$unit" ]; then
      setting "$old_units/$unit" Unit X-StopOnRemoval yes && add stop "$unit"
      continue
    fi
    case $unit in
      *.target)
        if ! setting "$new_units/$unit" Unit RefuseManualStart no \
          && ! setting "$new_units/$unit" Unit X-OnlyManualStart no; then
          add start "$unit"
          add filter "$unit"
          record start "$unit"
        fi
        setting "$new_units/$unit" Unit X-StopOnReconfiguration no && add stop "$unit"
        continue
        ;;
    esac
    cmp -s "$old_units/$unit" "$new_units/$unit" && continue
    case $(awk -f '@compareUnits@' "$old_units/$unit" "$new_units/$unit") in
      restart) changed_unit "$unit" "$new_units/$unit" ;;
      reload)
        if ! has restart "$unit"; then
          add reload "$unit"
          record reload "$unit"
        fi
        ;;
    esac
  done
fi

# PID 1 is Debian's, and is started again only if it was replaced.
restart_systemd=
[ "$(readlink -f /proc/1/exe)" = "$(readlink -f '@systemd@/lib/systemd/systemd')" ] || restart_systemd=yes

# shown SET: its names without the targets that are always started.
shown() {
  eval "rest=\$$1"
  for unit in $filter; do
    remove rest "$unit"
  done
  listed rest
}

if [ "$action" = dry-activate ]; then
  names=$(shown stop)
  [ -z "$names" ] || say "would stop the following units: $names"
  names=$(listed skip)
  [ -z "$names" ] || say "would NOT stop the following changed units: $names"
  say "would activate the configuration..."
  "$toplevel/dry-activate" "$toplevel" 9>&-
  [ -z "$restart_systemd" ] || say "would restart systemd"
  names=$(listed reload)
  [ -z "$names" ] || say "would reload the following units: $names"
  names=$(listed restart)
  [ -z "$names" ] || say "would restart the following units: $names"
  names=$(shown start)
  [ -z "$names" ] || say "would start the following units: $names"
  exit 0
fi

logger -t nixos "switching to system configuration $toplevel"
# A login session that ends while its terminal's unit restarts must not end this.
trap '' HUP
code=0

# run VERB NAMES…: one job each, all at once; a job that fails is reported.
run() {
  verb=$1
  shift
  [ $# -gt 0 ] || return 0
  systemctl "$verb" -- "$@" > /dev/null 2>&1 9>&- && return 0
  for unit in "$@"; do
    systemctl --quiet is-failed -- "$unit" 9>&- || continue
    say "Failed to $verb $unit"
    code=4
  done
}

names=$(shown stop)
[ -z "$names" ] || say "stopping the following units: $names"
run stop $stop
names=$(listed skip)
[ -z "$names" ] || say "NOT restarting the following changed units: $names"

say "activating the configuration..."
if ! "$toplevel/activate" "$toplevel" 9>&-; then
  say "Failed to run activate script"
  code=2
fi

if [ "$restart_systemd" ]; then
  say "restarting systemd..."
  systemctl daemon-reexec 9>&-
fi
systemctl reset-failed 9>&-
systemctl daemon-reload 9>&-

say "restarting sysinit-reactivation.target"
if ! systemctl restart sysinit-reactivation.target > /dev/null 2>&1 9>&-; then
  say "Failed to restart sysinit-reactivation.target"
  code=4
fi

# What should be reloaded but stopped meanwhile, with something it needs, is
# started instead.
for unit in $reload; do
  systemctl --quiet is-active -- "$unit" 9>&- && continue
  remove reload "$unit"
  add start "$unit"
  record start "$unit"
done
names=$(listed reload)
if [ "$names" ]; then
  say "reloading the following units: $names"
  run reload $reload
fi
rm -f /run/nixos/reload-list

names=$(listed restart)
if [ "$names" ]; then
  say "restarting the following units: $names"
  run restart $restart
fi
rm -f /run/nixos/restart-list

names=$(shown start)
[ -z "$names" ] || say "starting the following units: $names"
run start $start
rm -f /run/nixos/start-list

# The real one, too, lets systemd settle before it asks what failed: a simple
# service counts as started before its program has run.
sleep 0.25
active_after=$(active_units)
failed=$nl
for unit in $(printf '%s\n' "$active_after" | awk '$2 == "failed" { print $1 }'); do
  add failed "$unit"
done
for unit in $(printf '%s\n' "$active_after" \
  | awk '$3 == "auto-restart" && $1 ~ /\.service$/ { print $1 }'); do
  [ "$(systemctl show -p ExecMainStatus --value -- "$unit" 9>&-)" = 0 ] || add failed "$unit"
done
fresh=$nl
for unit in $(printf '%s\n' "$active_after" | awk '$2 != "failed" && $1 !~ /\.scope$/ { print $1 }'); do
  has failed "$unit" && continue
  [ "$(state_of "$unit")" ] || add fresh "$unit"
done

names=$(listed fresh)
[ -z "$names" ] || say "the following new units were started: $names"
names=$(listed failed)
if [ "$names" ]; then
  say "warning: the following units failed: $names"
  systemctl status --no-pager --full -- $failed >&2 9>&-
  code=4
fi

if [ $code -eq 0 ]; then
  logger -t nixos "finished switching to system configuration $toplevel"
else
  logger -t nixos "switching to system configuration $toplevel failed (status $code)"
fi
exit $code
