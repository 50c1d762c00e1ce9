# Runs a command of a system in a detached transient unit and follows it to its
# end. The command's output goes to the journal and is read from there, so that
# a connection that drops takes nothing with it: the same call, made again,
# joins the unit of that name instead of starting another.
#
#   start  UNIT CURSOR BOOT TOPLEVEL ACTION
#       switch-to-configuration ACTION
#   commit UNIT CURSOR BOOT TOPLEVEL live|any ACTIVATION GENERATION
#       verify that TOPLEVEL is live (unless "any"), make it the profile, as a new
#       generation ("-") or by switching to one that is it, then the boot entry;
#       if all is well, forget UNIT and the unit ACTIVATION
#   join   UNIT CURSOR BOOT TOPLEVEL
#       follow UNIT if it was started, but never start it
#   clean  UNIT
#       forget an ended unit
#
# CURSOR is where in the journal to go on, or "-"; BOOT is the boot id that the
# host must still have. Answers are "key value" lines that end with "end".
system=/run/wrappers/bin:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
PATH=$system:$PATH
export LC_ALL=C PATH
say() { printf '%s %s\n' "$1" "$2"; }
finish() { say end "$1"; exit 0; }
say flotilla-unit 1

mode=$1 unit=$2.service cursor=${3:--} boot=${4:-} toplevel=${5:-} argument=${6:-} activation=${7:-} generation=${8:--}
profile=/nix/var/nix/profiles/system
root=/nix/var/nix/gcroots/flotilla

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

# Sets load, active, sub, result, code, status and job.
look() {
  load= active= sub= result= code= status= job=
  while IFS='=' read -r key value; do
    case $key in
      LoadState) load=$value ;;
      ActiveState) active=$value ;;
      SubState) sub=$value ;;
      Result) result=$value ;;
      ExecMainCode) code=$value ;;
      ExecMainStatus) status=$value ;;
      Job) job=$value ;;
    esac
  done <<END
$(systemctl show -p LoadState,ActiveState,SubState,Result,ExecMainCode,ExecMainStatus,Job -- "$1" 2>/dev/null)
END
}

exists() { look "$unit" && [ "$load" = loaded ]; }

follow() {
  wait=0.05
  while :; do
    look "$unit"
    case $load/$active/$sub in
      not-found/*) facts && finish vanished ;;
      */failed/* | */active/exited) break ;;
      # Not yet, if its start is still queued.
      */inactive/*) case $job in '' | 0) break ;; esac ;;
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

facts() {
  say current "$(readlink -f /run/current-system 2>/dev/null)"
  say profile "$(readlink -f "$profile" 2>/dev/null)"
  for part in kernel initrd kernel-modules; do
    say "booted/$part" "$(readlink -f "/run/booted-system/$part" 2>/dev/null)"
    say "next/$part" "$(readlink -f "$toplevel/$part" 2>/dev/null)"
  done
  say booted/kernel-params "$(cat /run/booted-system/kernel-params 2>/dev/null | tr '\n' ' ')"
  say next/kernel-params "$(cat "$toplevel/kernel-params" 2>/dev/null | tr '\n' ' ')"
}

# RemainAfterExit keeps the exit status of a unit that ended well until "clean".
launch() {
  systemd-run --quiet --unit="$unit" --service-type=exec --no-ask-password \
    -p RemainAfterExit=yes -p StandardOutput=journal -p StandardError=journal \
    -E PATH="$system" -E LC_ALL=C.UTF-8 -- "$@" 2>&1 | sed 's/^/problem /'
}

# A unit that still runs is never stopped.
clean() {
  for each; do
    look "$each"
    case $load/$sub in
      loaded/exited | loaded/failed | loaded/dead)
        systemctl stop -- "$each" >/dev/null 2>&1
        systemctl reset-failed -- "$each" >/dev/null 2>&1
        ;;
    esac
  done
  rm -f "$root"
}

# What the commit's unit runs. Between the two steps the marker stands, so that
# a host that loses power there is not taken for one that is done; if the boot
# entry cannot be made, the profile goes back to where it was. The text is an
# argument of systemd-run, which would expand a dollar sign before a brace.
# What a new generation took the place of is written down for "rollback": a
# generation that was switched to, or rolled back from, is not what ran before.
commit='
marker=/nix/var/nix/flotilla-uncommitted
old=$(readlink /nix/var/nix/profiles/system | sed "s/[^0-9]//g")
was=$(readlink -f /nix/var/nix/profiles/system)
echo "$1" >"$marker" && sync -f "$marker" || exit 1
if [ "$2" = - ]; then
  nix-env --profile /nix/var/nix/profiles/system --set "$1"
elif [ "$(readlink -f "/nix/var/nix/profiles/system-$2-link")" != "$1" ]; then
  echo "generation $2 is no longer $1" >&2
  false
else
  nix-env --profile /nix/var/nix/profiles/system --switch-generation "$2"
fi || { code=$?; rm -f "$marker"; exit $code; }
"$1/bin/switch-to-configuration" boot
code=$?
if [ "$code" != 0 ]; then
  echo "making the boot entry failed: the profile goes back to generation $old" >&2
  nix-env --profile /nix/var/nix/profiles/system --switch-generation "$old" || exit "$code"
fi
rm -f "$marker"
[ "$code/$2" != 0/- ] || [ "$was" = "$1" ] || echo "$1 $was" >/nix/var/nix/flotilla-previous
exit "$code"
'

if [ "$mode" = clean ]; then
  clean "$unit"
  finish ok
fi
[ "$(cat /proc/sys/kernel/random/boot_id)" = "$boot" ] || finish rebooted
[ -d /run/systemd/system ] || finish no-systemd

if ! exists; then
  case $mode in
    start)
      # Until the profile keeps it, nothing else does.
      ln -sfn "$toplevel" "$root"
      nix-store --check-validity "$toplevel" >/dev/null 2>&1 || finish gone
      [ -e "$toplevel/nixos-version" ] && [ -x "$toplevel/bin/switch-to-configuration" ] || finish not-a-system
      launch "$toplevel/bin/switch-to-configuration" "$argument"
      ;;
    commit)
      [ "$argument" = any ] || [ "$(readlink -f /run/current-system)" = "$toplevel" ] || { facts; finish not-live; }
      launch /bin/sh -c "$commit" sh "$toplevel" "$generation"
      ;;
    join)
      finish never-started
      ;;
  esac
fi
follow
facts
# Once this is done the exit status cannot be asked for again, so a unit that did
# not end well is left to "clean".
[ "$mode" != commit ] || [ "$result/$status" != success/0 ] || clean "$unit" "$activation.service"
finish ok
