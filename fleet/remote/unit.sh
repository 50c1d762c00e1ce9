# Runs a command of a system in a detached transient unit, or re-attaches to
# one, and follows it to its end. The command's output goes to the journal and
# is read from there, so that a connection that drops takes nothing with it.
#
#   start UNIT CURSOR TOPLEVEL ACTION   switch-to-configuration ACTION
#   commit UNIT CURSOR TOPLEVEL live|any ACTIVATION
#                                       verify that TOPLEVEL is live (unless
#                                       "any"), make it the profile, then the
#                                       boot entry; if all is well, forget UNIT
#                                       and the unit ACTIVATION
#   attach UNIT CURSOR TOPLEVEL         follow a unit that was started before
#   clean UNIT                          forget an ended unit
#
# Answers are "key value" lines that end with "end". CURSOR is where in the
# journal to go on, or "-".
PATH=$PATH:/run/wrappers/bin:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
export LC_ALL=C PATH
say() { printf '%s %s\n' "$1" "$2"; }
finish() { say end "$1"; exit 0; }

mode=$1 unit=$2.service cursor=${3:--} toplevel=${4:-} argument=${5:-} activation=${6:-}

# The journal's new lines, each marked, then the cursor to go on from.
journal() {
  if [ "$cursor" = - ]; then
    text=$(journalctl --quiet --no-pager -o cat --show-cursor "_SYSTEMD_UNIT=$unit" 2>/dev/null)
  else
    text=$(journalctl --quiet --no-pager -o cat --show-cursor "_SYSTEMD_UNIT=$unit" --after-cursor "$cursor" 2>/dev/null)
  fi
  [ -n "$text" ] || return 0
  case $(printf '%s\n' "$text" | tail -n 1) in
    '-- cursor: '*) ;;
    *) return 0 ;;
  esac
  cursor=$(printf '%s\n' "$text" | tail -n 1)
  cursor=${cursor#-- cursor: }
  printf '%s\n' "$text" | sed '$d; s/^/log /'
  say cursor "$cursor"
}

follow() {
  wait=0.05
  while :; do
    load= active= sub= result= code= status=
    while IFS='=' read -r key value; do
      case $key in
        LoadState) load=$value ;;
        ActiveState) active=$value ;;
        SubState) sub=$value ;;
        Result) result=$value ;;
        ExecMainCode) code=$value ;;
        ExecMainStatus) status=$value ;;
      esac
    done <<END
$(systemctl show -p LoadState,ActiveState,SubState,Result,ExecMainCode,ExecMainStatus -- "$unit" 2>/dev/null)
END
    case $load/$active/$sub in
      not-found/*) facts && finish vanished ;;
      */failed/* | */active/exited | */inactive/*) break ;;
    esac
    journal
    sleep "$wait"
    wait=0.2
  done
  journalctl --sync >/dev/null 2>&1
  journal
  say result "$result"
  say code "$code"
  say status "$status"
}

# What the machine booted with against what SYSTEM would boot with.
boot_parts() {
  for part in kernel initrd kernel-modules; do
    say "booted/$part" "$(readlink -f "/run/booted-system/$part" 2>/dev/null)"
    say "next/$part" "$(readlink -f "$1/$part" 2>/dev/null)"
  done
  say booted/kernel-params "$(cat /run/booted-system/kernel-params 2>/dev/null | tr '\n' ' ')"
  say next/kernel-params "$(cat "$1/kernel-params" 2>/dev/null | tr '\n' ' ')"
}

facts() {
  say boot-id "$(cat /proc/sys/kernel/random/boot_id)"
  say current "$(readlink -f /run/current-system 2>/dev/null)"
  say profile "$(readlink -f /nix/var/nix/profiles/system 2>/dev/null)"
  boot_parts "${toplevel:-/run/current-system}"
}

# RemainAfterExit keeps the exit status of a unit that ended well until "clean".
launch() {
  systemd-run --quiet --unit="$unit" --service-type=exec --no-ask-password \
    -p RemainAfterExit=yes -p StandardOutput=journal -p StandardError=journal \
    -E PATH="$PATH" -E LC_ALL=C.UTF-8 -- "$@" 2>&1 | sed 's/^/problem /'
}

clean() {
  systemctl stop -- "$@" >/dev/null 2>&1
  systemctl reset-failed -- "$@" >/dev/null 2>&1
}

case $mode in
  start)
    [ -e "$toplevel/nixos-version" ] && [ -x "$toplevel/bin/switch-to-configuration" ] || finish not-a-system
    [ -d /run/systemd/system ] || finish no-systemd
    launch "$toplevel/bin/switch-to-configuration" "$argument"
    follow
    facts
    ;;
  commit)
    [ "$argument" = any ] || [ "$(readlink -f /run/current-system)" = "$toplevel" ] || { facts; finish not-live; }
    # The text is fixed; the path is an argument of it.
    launch /bin/sh -c 'nix-env --profile /nix/var/nix/profiles/system --set "$1" && exec "$1/bin/switch-to-configuration" boot' sh "$toplevel"
    follow
    facts
    # Once this is done the exit status cannot be asked for again, so a unit
    # that did not end well is left to "clean".
    [ "$result/$status" != success/0 ] || clean "$unit" "$activation.service"
    ;;
  attach)
    follow
    facts
    ;;
  clean)
    clean "$unit"
    ;;
esac
finish ok
