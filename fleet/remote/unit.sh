# Runs a command of a system in a detached transient unit and follows it to its
# end. The command's output goes to the journal and is read from there, so that
# a connection that drops takes nothing with it: the same call, made again,
# joins the unit of that name instead of starting another.
#
#   start    UNIT CURSOR BOOT TOPLEVEL ACTION ACTIVE
#       switch-to-configuration ACTION, without more ado
#   activate UNIT CURSOR BOOT TOPLEVEL ACTION ACTIVE BY TIMEOUT CONFIRM yes|no GENERATION CHECK
#       take the host's lock for BY and arm the guard, then switch-to-configuration
#       ACTION ("stage": nothing); see guard.sh, which the function guard writes. With
#       the CHECK "ask" nothing is done if there are switch inhibitors to compare; "no"
#       leaves out the system's own checks
#   commit   UNIT CURSOR BOOT TOPLEVEL live|any ACTIVE
#       verify that ACTIVE is live (unless "any"), make TOPLEVEL the profile, as a new
#       generation ("-") or by switching to GENERATION (or neither: "none"), then the
#       boot entry; if all is well, forget the deployment
#   restore  UNIT CURSOR BOOT TOPLEVEL WHY ACTIVE
#       bring the system back that was live before, then forget the deployment
#   join     UNIT CURSOR BOOT TOPLEVEL - ACTIVE
#       follow UNIT if it was started, but never start it
#   clean    UNIT
#       forget an ended unit, and its deployment as it is
#   look
#       tell of the deployment that holds the lock
#   unlock
#       remove the lock, unless something goes on under it
#
# A deployment's units are called flotilla-STEP-ID, and it has the directory
# /run/flotilla/ID; the link /run/flotilla/lock says which one has the host.
# ACTIVE is what is to be live: TOPLEVEL, or one of its specialisations. CURSOR is
# where in the journal to go on, or "-"; BOOT is the boot id that the host must still
# have. Answers are "key value" lines that end with "end".
system=/run/wrappers/bin:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
PATH=$system:$PATH
export LC_ALL=C PATH
say() { printf '%s %s\n' "$1" "$2"; }
finish() { say end "$1"; exit 0; }
say flotilla-unit 1

mode=$1 unit=${2:-}.service cursor=${3:--} boot=${4:-} toplevel=${5:-} argument=${6:-} target=${7:-${5:-}}
profile=/nix/var/nix/profiles/system
root=/nix/var/nix/gcroots/flotilla
base=/run/flotilla
id=${2:-}
id=${id##*-}
dir=$base/$id
listens= said= begun=
signals='SIGHUP SIGINT SIGQUIT SIGILL SIGTRAP SIGABRT SIGBUS SIGFPE SIGKILL SIGUSR1 SIGSEGV SIGUSR2 SIGPIPE SIGALRM SIGTERM SIGXCPU SIGXFSZ SIGSYS'

# The journal's new lines, each marked, then the cursor to go on from.
journal() {
  if [ "$cursor" = - ]; then
    text=$(journalctl --quiet --no-pager -o cat --show-cursor "_SYSTEMD_UNIT=$unit" 2>/dev/null)
  else
    text=$(journalctl --quiet --no-pager -o cat --show-cursor "_SYSTEMD_UNIT=$unit" --after-cursor "$cursor" 2>/dev/null)
  fi
  [ -n "$text" ] || return 0
  last=$(printf '%s\n' "$text" | tail -n 1)
  case $last in
    '-- cursor: '*) cursor=${last#-- cursor: } ;;
    *) return 0 ;;
  esac
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

# What is to be activated has its directory before it has a unit, and of a commit that is at
# work there is a verdict; one that has only just been launched is not launched twice.
exists() {
  case $mode in
    activate) [ -d "$dir" ] ;;
    commit) [ -L "$dir/verdict" ] ;;
  esac && look "$unit" && [ "$load" = loaded ]
}

follow() {
  wait=0.05 soon=0
  [ -n "$listens" ] || listen
  # What has only just begun has nothing to tell, and a commit is short: both wake who
  # listens.
  case $begun/$listens in
    yes/yes)
      [ "$mode" != commit ] || wait=0.2
      begun=
      rest
      ;;
  esac
  while :; do
    look "$unit"
    case $load/$active/$sub in
      not-found/*)
        # A host that goes down, or has got so far that it does not say so, tells no more;
        # whoever asks again learns that it did.
        case $(systemctl is-system-running 2>/dev/null) in
          initializing | starting | running | degraded | maintenance) ;;
          *) exit 1 ;;
        esac
        journal
        ended
        facts
        [ "$mode" != commit ] || [ -d "$dir" ] || finish over
        finish vanished
        ;;
      */failed/* | */active/exited) break ;;
      # Not yet, if its start is still queued.
      */inactive/*) case $job in '' | 0) break ;; esac ;;
    esac
    [ "$soon" -gt 0 ] || [ -n "$begun" ] || journal
    begun=
    rest
  done
  case $result/$code/$status in success/1/0) activated ;; esac
  # First of all, since whom nobody hears any more is ended by it, and leaves the rest to
  # who attaches again.
  say result "$result"
  say code "$code"
  say status "$status"
  how=$(cat "$dir/ended" 2>/dev/null)
  # Then the exit status cannot be asked for again, so a unit that did not end well is
  # left to "clean". What is left to tell need not wait for this.
  case $mode/$result/$status in commit/success/0) drop "$id" & ;; esac
  journalctl --sync >/dev/null 2>&1
  journal
}

# Says, once, that the new system came up, for whom this is enough to go on.
activated() {
  [ -e "$dir/up" ] && [ "$mode" = activate ] && [ -z "$said" ] || return 0
  say activated yes
  said=yes
}

# What guard.sh writes to the pipe is kept for who listens before.
listen() { [ -p "$dir/wake" ] && command exec 8<>"$dir/wake" && listens=yes; }

# Until the system is up, or the unit about to end, or for a while.
rest() {
  if [ "$soon" -gt 0 ]; then
    soon=$((soon - 1))
    sleep 0.01
  elif [ -z "$listens" ]; then
    sleep "$wait"
  else
    timeout "$wait" head -c 1 <&8 >/dev/null 2>&1
    case $? in
      0) if [ "$mode/$said" = activate/ ] && [ -e "$dir/up" ]; then activated; else soon=20; fi ;;
      124) ;;
      *) listens= ;;
    esac
  fi
  wait=0.2
}

# What the host runs, and boots, and what a boot would change; all links by one process.
# One that leads nowhere gives its own name.
facts() {
  set -- current /run/current-system profile "$profile"
  for part in kernel initrd kernel-modules; do
    set -- "$@" "booted/$part" "/run/booted-system/$part" "next/$part" "$toplevel/$part"
    [ "$target" = "$toplevel" ] || set -- "$@" "active/$part" "$target/$part"
  done
  keys= paths=
  while [ $# -gt 0 ]; do
    keys="$keys $1" paths="$paths $2"
    shift 2
  done
  # Neither has blanks or wildcards in it.
  set -- $keys
  while read -r path; do
    say "$1" "$path"
    shift
  done <<END
$(readlink -m -- $paths)
END
  words booted/kernel-params /run/booted-system/kernel-params
  words next/kernel-params "$toplevel/kernel-params"
  [ "$target" = "$toplevel" ] || words active/kernel-params "$target/kernel-params"
  inhibitors || :
}

# A file's lines as one.
words() {
  text=
  while read -r line || [ -n "$line" ]; do text="$text$line "; done 2>/dev/null <"$2"
  say "$1" "$text"
}

# Tells the switch inhibitors of the live and of the new system, if both have some and
# they are not the same.
inhibitors() {
  live=/run/current-system/switch-inhibitors next=$target/switch-inhibitors
  [ -s "$live" ] && [ -s "$next" ] && ! cmp -s "$live" "$next" || return 1
  say inhibitors/live "$(head -c 65536 "$live" | tr '\n' ' ')"
  say inhibitors/next "$(head -c 65536 "$next" | tr '\n' ' ')"
}

# RemainAfterExit keeps the exit status of a unit that ended well until "clean".
launch() {
  systemd-run --quiet --unit="$unit" --service-type=exec --no-ask-password \
    -p RemainAfterExit=yes -p StandardOutput=journal -p StandardError=journal \
    -E PATH="$system" -E LC_ALL=C.UTF-8 "$@" 2>&1 | sed 's/^/problem /'
  begun=yes
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
  [ -L "$base/lock" ] || rm -f "$root" "$root-previous"
}

# Whether one of units is doing something. Sets states.
running() {
  states=$(systemctl show -p SubState --value -- "$@" 2>/dev/null)
  case $states in
    *condition* | *start* | *running* | *reload* | *stop* | *final*) return 0 ;;
  esac
  return 1
}

# A timer is armed before the lock is taken and disarmed before that is released. It is active until
# what it has started has ended, or was killed, which then begins anew.
waits() { systemctl is-active --quiet -- "flotilla-guard-$1.timer" "flotilla-confirm-$1.timer"; }
busy() {
  waits "$1" || running "flotilla-activate-$1.service" "flotilla-restore-$1.service" "flotilla-commit-$1.service" \
    "flotilla-guard-$1.service" "flotilla-confirm-$1.service"
}

# If the deployment is over, or is being ended by someone else, says how it ends.
ended() {
  [ -d "$dir" ] || return 0
  case $(readlink "$dir/verdict") in
    guard | confirm | restore)
      while [ ! -e "$dir/ended" ] && busy "$id"; do sleep 0.2; done
      ;;
  esac
  [ -e "$dir/ended" ] || return 0
  say ended "$(cat "$dir/ended")"
  facts
  case $mode/$(cat "$dir/ended") in
    commit/committed*)
      while running "flotilla-commit-$id.service"; do sleep 0.1; done
      drop "$id"
      ;;
  esac
  finish ended
}

# Forgets a deployment that is over. Only one may ever free a lock, or the next
# one's would be freed with it.
drop() {
  units="flotilla-activate-$1.service flotilla-commit-$1.service flotilla-restore-$1.service"
  timers="flotilla-guard-$1.timer flotilla-confirm-$1.timer"
  if running $units; then
    systemctl stop -- $timers
  else
    systemctl stop -- $timers $units
    case $states in *failed*) systemctl reset-failed -- $units ;; esac
  fi 2>/dev/null
  [ -d "$base/$1" ] || mkdir -p "$base/$1"
  if mkdir "$base/$1/taken" 2>/dev/null && [ "$(readlink "$base/lock")" = "$1" ]; then
    rm -f "$base/lock"
  fi
  rm -rf "${base:?}/$1"
  [ -L "$base/lock" ] || rm -f "$root" "$root-previous"
}

# Whom the lock is of, in holder; fails if nobody has it.
locked() {
  holder=$(readlink "$base/lock") && [ -n "$holder" ]
}

tell() {
  while read -r key value; do
    case $key in
      by | since | toplevel | active | action | restore | generation) say "lock/$key" "$value" ;;
    esac
  done <"$base/$1/deployment" 2>/dev/null
}

# Takes the lock, which leads to a directory: without -n a link would be made in
# there. One whose timers are gone is of a deployment that is over.
lock() {
  tries=0
  until ln -sn "$id" "$base/lock" 2>/dev/null; do
    tries=$((tries + 1))
    if locked && { [ "$tries" -gt 50 ] || busy "$holder"; }; then
      tell "$holder"
      ! systemctl is-active --quiet -- "flotilla-confirm-$holder.timer" || say lock/waits yes
      return 1
    elif locked && [ "$tries" = 1 ]; then
      stale=$(tell "$holder" | sed -n 's/^lock.by //p')
      drop "$holder"
    else
      sleep 0.1
    fi
  done
}

# Leaves this script for later calls, which are slower without it. Only root may write to
# it, and it is there as a whole or not at all.
leave() {
  [ -n "$self" ] && [ ! -e "$kept" ] || return 0
  (umask 077 && printf '%s\n' "$self" >"$kept.$id") && mv "$kept.$id" "$kept" || rm -f "$kept.$id"
} 2>/dev/null

cannot() {
  rm -rf "$dir"
  say problem "$1"
  finish unguarded
}

# Fails if an earlier call has begun already.
begin() {
  mkdir -p -m 711 "$base"
  if ! text=$(mkdir -m 711 "$dir" 2>&1); then
    [ -d "$dir" ] || cannot "$text"
    return 1
  fi
  for each in "$base"/*/ended; do
    [ -e "$each" ] && [ -n "$(find "$each" -mmin +60)" ] || continue
    each=${each%/ended}
    drop "${each##*/}"
  done
  previous=$(readlink -f /run/current-system)
  [ -x "$previous/bin/switch-to-configuration" ] || restore=no
  shell=$previous/sw/bin/sh
  [ -x "$shell" ] || shell=/bin/sh
  {
    guard >"$dir/run" &&
      printf '%s %s\n' previous "$previous" toplevel "$toplevel" active "$target" action "$argument" timeout "$timeout" \
        confirm "$confirm" restore "$restore" generation "$generation" check "$check" by "$by" since "$(date +%s)" >"$dir/deployment" &&
      echo >"$dir/ended.new" && echo >"$dir/report.new" && mkfifo -m 600 "$dir/wake"
  } 2>/dev/null || cannot "$base cannot be written to"
  text=$(systemd-run --quiet --no-ask-password --collect --unit="flotilla-guard-$id" --on-active="$timeout" \
    --timer-property=AccuracySec=100ms -p StandardOutput=journal -p StandardError=journal -p Restart=on-failure -p RestartSec=1 \
    -p StartLimitIntervalSec=0 -p ConditionPathExists="$dir/run" -- "$shell" "$dir/run" guard 2>&1) || cannot "$text"
  if ! lock; then
    systemctl stop -- "flotilla-guard-$id.timer" 2>/dev/null
    rm -rf "$dir"
    finish locked
  fi
  leave
  # What is to come back must still be there then.
  ln -sfn "$toplevel" "$root"
  ln -sfn "$previous" "$root-previous"
}

case $mode in
  clean)
    clean "$unit"
    # Of one that is over the guard may be stopping the unit just now.
    if [ -e "$dir/ended" ]; then
      drop "$id"
    elif [ -d "$dir" ] && ! running "flotilla-activate-$id.service"; then
      ln -sn kept "$dir/verdict" 2>/dev/null && drop "$id"
    fi
    finish ok
    ;;
  look | unlock)
    locked || finish free
    tell "$holder"
    say lock/id "$holder"
    look "flotilla-activate-$holder.service"
    say lock/status "$status"
    if running "flotilla-activate-$holder.service" "flotilla-commit-$holder.service" "flotilla-restore-$holder.service" \
      "flotilla-guard-$holder.service" "flotilla-confirm-$holder.service"; then
      finish running
    fi
    if waits "$holder" && { [ "$mode" = look ] || ! grep -qx 'restore no' "$base/$holder/deployment"; }; then
      finish waiting
    fi
    if [ "$mode" = unlock ]; then
      ln -sn unlocked "$base/$holder/verdict" 2>/dev/null
      drop "$holder"
      # Whoever was to free it has died.
      [ "$(readlink "$base/lock")" != "$holder" ] || rm -f "$base/lock"
    fi
    finish stale
    ;;
esac
read -r now </proc/sys/kernel/random/boot_id
[ "$now" = "$boot" ] || finish rebooted
[ -d /run/systemd/system ] || finish no-systemd

if ! exists; then
  case $mode in
    start | activate)
      # Until the profile keeps it, nothing else does. The root of a deployment that has
      # the host is its own.
      [ -L "$base/lock" ] || ln -sfn "$toplevel" "$root"
      nix-store --check-validity "$toplevel" >/dev/null 2>&1 &
      valid=$!
      if ! { [ -e "$toplevel/nixos-version" ] && [ -x "$target/bin/switch-to-configuration" ]; }; then
        wait "$valid" || finish gone
        finish not-a-system
      fi
      if [ "$mode" = start ]; then
        wait "$valid" || finish gone
        launch -- "$target/bin/switch-to-configuration" "$argument"
      else
        by=$8 timeout=$9
        shift 9
        confirm=$1 restore=$2 generation=${3:--} check=${4:-ask} stale=
        [ "$check" != ask ] || [ -d "$dir" ] || ! inhibitors || finish inhibited
        if begin; then
          listen
          if ! wait "$valid"; then
            drop "$id"
            finish gone
          fi
          # Whatever it ends with, what it has left to watch over the host stays with it.
          launch -p TimeoutStopSec=10s -p "SuccessExitStatus=$(seq -s ' ' 255) $signals" -- "$shell" "$dir/run" activate
          [ -z "$stale" ] || say stale "$stale"
        else
          # An earlier call has begun it, or is about to.
          wait "$valid" || finish gone
          tries=0
          until exists || [ ! -d "$dir" ] || [ -e "$dir/ended" ] || [ "$tries" = 100 ]; do
            tries=$((tries + 1))
            sleep 0.1
          done
          ended
        fi
      fi
      ;;
    commit)
      ended
      [ -d "$dir" ] || { facts; finish over; }
      [ "$argument" = any ] || [ "$(readlink -f /run/current-system)" = "$target" ] || { facts; finish not-live; }
      listen
      launch -- /bin/sh "$dir/run" commit
      ;;
    restore)
      ended
      [ -d "$dir" ] || { facts; finish over; }
      shell=$(sed -n 's/^previous //p' "$dir/deployment")/sw/bin/sh
      [ -x "$shell" ] || shell=/bin/sh
      launch -- "$shell" "$dir/run" restore "$argument"
      ;;
    join)
      finish never-started
      ;;
  esac
fi
follow
# If who was to bring the old system back was killed, the guard does it.
[ "$mode" != restore ] || while [ -d "$dir" ] && [ ! -e "$dir/ended" ] && busy "$id"; do sleep 0.2; done
[ "$mode" = activate ] || facts
case $mode in
  activate) [ ! -e "$dir/untouched" ] || say untouched yes ;;
  commit) [ -z "$how" ] || say ended "$how" ;;
  restore)
    how=$(cat "$dir/ended" 2>/dev/null) && say ended "$how"
    case $result/$status/$how in success/0/* | */restored*) drop "$id" ;; esac
    ;;
esac
wait
finish ok
