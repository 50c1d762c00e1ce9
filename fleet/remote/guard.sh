# What keeps a deployment from stranding its host. A copy of this lies on the host, in
# the deployment's directory below /run/flotilla, and is run by units named after that:
#
#   activate  run the new system's switch-to-configuration; then arm the short timer
#   guard     the long timer has run out: the activation did not end
#   confirm   the short timer has: nobody has confirmed the new system
#   restore   the controller gives the new system up; its argument says why
#   commit    the controller confirms the new system
#
# They do what they do without any connection, and with the old system's commands,
# which a new one cannot break. Whoever makes the link "verdict" decides what becomes
# of the deployment; once the file "ended" is there, it is over and the lock is free.
dir=${0%/*}
base=${dir%/*} id=${dir##*/} mode=$1
previous= toplevel= active= action= timeout= confirm= restore= generation= check= by=
while read -r key value; do
  case $key in
    previous) previous=$value ;;
    toplevel) toplevel=$value ;;
    active) active=$value ;;
    action) action=$value ;;
    timeout) timeout=$value ;;
    confirm) confirm=$value ;;
    restore) restore=$value ;;
    generation) generation=$value ;;
    check) check=$value ;;
    by) by=$value ;;
  esac
done <"$dir/deployment"
profile=/nix/var/nix/profiles/system marker=/nix/var/nix/flotilla-uncommitted

# What switch-to-configuration has had from the session so far.
system=/run/wrappers/bin:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
PATH=$previous/sw/bin:$previous/systemd/bin:/nix/var/nix/profiles/default/bin:/usr/bin:/bin:/usr/sbin:/sbin:/run/current-system/sw/bin
export LC_ALL=C.UTF-8 PATH
shell=$previous/sw/bin/sh
[ -x "$shell" ] || shell=/bin/sh
[ "$check" != no ] || export NIXOS_NO_CHECK=1

claim() { ln -sn "$1" "$dir/verdict" 2>/dev/null; }

# Waits for those that are at work. Fails if they have ended the deployment, and else
# decides it: whoever had done so before did not live to see it done.
#
# Of several that wait, one goes on: it does not heed those after it that say so, and
# those look again once they no longer say so.
decide() {
  while [ -d "$dir" ] && [ ! -e "$dir/ended" ]; do
    rm -f "$dir/waits-$mode"
    if others; then
      : >"$dir/waits-$mode"
      sleep 0.2
    elif claim "$mode"; then
      return 0
    else
      # Who gave it up to be kept or unlocked needs not live to see it.
      case $(readlink "$dir/verdict") in kept | unlocked) return 1 ;; esac
      others || rm -f "$dir/verdict"
    fi
  done
  return 1
}

# Whether one is at work that this one has to wait for.
others() {
  set -- commit
  before=yes
  for each in restore guard confirm; do
    if [ "$each" = "$mode" ]; then
      before=
    elif [ -n "$before" ] || [ ! -e "$dir/waits-$each" ]; then
      set -- "$@" "$each"
    fi
  done
  running "$@"
}

# Whether one of the others is at work.
running() {
  for each; do
    shift
    [ "$each" = "$mode" ] || set -- "$@" "flotilla-$each-$id.service"
  done
  case $(systemctl show -p SubState --value -- "$@" 2>/dev/null) in
    *condition* | *start* | *running* | *reload* | *stop* | *final*) return 0 ;;
  esac
  return 1
}

# By the monotonic clock, which no change of the time of day moves. One that is killed
# begins anew, however often.
arm() {
  systemd-run --quiet --no-ask-password --collect --unit="flotilla-$1-$id" --on-active="$2" \
    --timer-property=AccuracySec=100ms -p StandardOutput=journal -p StandardError=journal -p Restart=on-failure -p RestartSec=1 \
    -p StartLimitIntervalSec=0 -p ConditionPathExists="$dir/run" -- "$shell" "$dir/run" "$1"
}

# The same without a timer, of which systemd counts the time anew whenever it is reloaded. It ends
# with the activation's unit. A manager that is just executed anew may refuse once.
also() {
  (
    trap - EXIT
    sleep $(printf '%s\n' "$2" | sed 's/ms$/e-3s/; s/[hms]/& /g') || exit
    systemctl start --no-block -- "flotilla-$1-$id.service" || { sleep 2; systemctl start --no-block -- "flotilla-$1-$id.service"; }
  ) 2>/dev/null &
}

disarm() { systemctl stop -- "flotilla-guard-$id.timer" "flotilla-confirm-$id.timer" 2>/dev/null; }

# Only one may ever free a lock, or the next one's would be freed with it.
release() {
  mkdir "$dir/taken" 2>/dev/null || return 0
  [ "$(readlink "$base/lock")" != "$id" ] || rm -f "$base/lock"
}

# Into what is there already, for which even a full /run has room.
over() {
  printf '%s\n' "$*" 1<>"$dir/ended.new" && mv "$dir/ended.new" "$dir/ended"
  disarm
  release
}

# An exit code of 1 says that something refused or that something broke. Nothing has
# been touched if the same checks refuse again and nothing has changed.
refused() {
  [ "$(readlink -f /run/current-system)" = "$previous" ] || return 1
  for list in start restart reload; do
    [ ! -s "/run/nixos/$list-list" ] || return 1
  done
  ! PATH=$system "$active/bin/switch-to-configuration" check >/dev/null 2>&1
}

# Undoes a commit that was killed.
uncommit() {
  old=$(readlink "$dir/before") || return 0
  echo "flotilla: the commit did not come to its end: what boots is to be as before" >&2
  if [ "$(readlink -f "$profile")" = "$toplevel" ]; then
    # Of a profile that was so before it is not known what boots: the marker says so.
    [ "$(readlink "$profile")" != "$old" ] || return 0
    nix-env --profile "$profile" --switch-generation "$(echo "$old" | sed 's/[^0-9]//g')" &&
      PATH=$system NIXOS_NO_CHECK=1 "$(readlink -f "$profile")/bin/switch-to-configuration" boot || return
  fi
  rm -f "$marker" "$dir/before"
}

# Leaves what came of it in outcome. The old system was good enough before: its
# checks, made against the new one, are not to hold it up.
go_back() {
  outcome="restored 0 $1"
  if running activate; then
    systemctl stop -- "flotilla-activate-$id.service"
  fi
  uncommit
  if [ -e "$dir/untouched" ]; then
    return 0
  elif [ "$restore" != yes ]; then
    outcome="kept 0 $1"
    return 0
  fi
  # What neither the old nor the new system has made live is not ours to undo.
  now=$(readlink -f /run/current-system)
  case $now in
    "$previous" | "$active") ;;
    *)
      outcome="foreign 0 $1"
      echo "flotilla: $1, but someone else has made $now live: leaving it" >&2
      return 0
      ;;
  esac
  echo "flotilla: $1: going back to $previous" >&2
  tries=0
  while :; do
    PATH=$system NIXOS_NO_CHECK=1 "$previous/bin/switch-to-configuration" test
    code=$?
    # Another switch holds the lock.
    [ "$code" = 11 ] && [ "$tries" -lt 300 ] || break
    tries=$((tries + 1))
    sleep 1
  done
  now=$(readlink -f /run/current-system)
  case $code/$now in
    "0/$previous" | "4/$previous") outcome="restored $code $1" ;;
    *) outcome="failed $code $1" ;;
  esac
  echo "flotilla: switch-to-configuration ended with $code; the host runs $now" >&2
}

# For the next survey, since nobody may be following.
report() {
  {
    echo "restored/as ${outcome%% *}"
    echo "restored/of $toplevel"
    echo "restored/by $by"
    echo "restored/at $(date +%s)"
    echo "restored/why $1"
  } 1<>"$dir/report.new" && chmod 644 "$dir/report.new" && mv "$dir/report.new" "$base/report"
}

# Tells who follows that the new system came up, or that this is about to end. Opened
# for both, the pipe never waits.
wake() { [ ! -p "$dir/wake" ] || echo 1<>"$dir/wake"; }

forget() {
  systemctl stop -- "flotilla-activate-$id.service" 2>/dev/null
  systemctl reset-failed -- "flotilla-activate-$id.service" "flotilla-commit-$id.service" 2>/dev/null
}

case $mode in activate | restore | commit) trap wake EXIT ;; esac
case $mode in
  activate)
    # The long timer may have run out before this came to its turn.
    [ ! -L "$dir/verdict" ] || exit 75
    also guard "$timeout"
    code=0
    if [ "$action" = stage ]; then
      : >"$dir/untouched"
    else
      PATH=$system "$active/bin/switch-to-configuration" "$action"
      code=$?
    fi
    case $code/$action in
      0/stage) ;;
      0/*)
        : >"$dir/up"
        wake
        ;;
    esac
    case $code in
      11 | 100) : >"$dir/untouched" ;;
      1) refused && : >"$dir/untouched" ;;
    esac
    # If this fails the long timer is still there.
    arm confirm "$confirm"
    also confirm "$confirm"
    [ "$code" -le 128 ] || kill -"$((code - 128))" $$
    exit "$code"
    ;;
  guard | confirm)
    # One that never got the lock has touched nothing.
    if [ "$(readlink "$base/lock")" != "$id" ]; then
      disarm
      rm -rf "$dir"
      exit 0
    fi
    if [ "$mode" = guard ]; then
      why="its activation did not end within $timeout"
      running activate || why="it was not confirmed within $timeout of its beginning"
      ! systemctl is-active --quiet -- "flotilla-confirm-$id.timer" || exit 0
    else
      why="it was not confirmed within $confirm"
    fi
    decide || exit 0
    go_back "$why"
    report "$why"
    over "$outcome"
    forget
    exit 0
    ;;
  restore)
    if decide; then
      go_back "$2"
      over "$outcome"
    fi
    outcome=
    read -r outcome code why 2>/dev/null <"$dir/ended"
    [ "$outcome" = restored ]
    ;;
  commit)
    claim commit || exit 75
    # What boots is to stay what it is.
    if [ "$generation" = none ]; then
      rm -f "$base/report"
      over "committed 0"
      exit 0
    fi
    # Between the two steps the marker stands, so that a host that loses power
    # there is not taken for one that is done; if the boot entry cannot be made, the
    # profile goes back to where it was.
    link=$(readlink "$profile")
    old=${link#system-}
    old=${old%-link}
    was=$(readlink -f "$profile")
    code=0 marked=
    [ ! -e "$marker" ] || marked=yes
    ln -sn "$link" "$dir/before" || code=1
    if ! { [ "$code" = 0 ] && echo "$toplevel" >"$marker.new" && mv "$marker.new" "$marker" && sync -f "$marker"; }; then
      rm -f "$marker.new"
      code=1
    fi
    if [ "$code" = 0 ]; then
      if [ "$generation" = - ]; then
        nix-env --profile "$profile" --set "$toplevel"
      elif [ "$(readlink -f "$profile-$generation-link")" = "$toplevel" ]; then
        nix-env --profile "$profile" --switch-generation "$generation"
      else
        echo "generation $generation is no longer $toplevel" >&2
        false
      fi
      code=$?
      if [ "$code" = 0 ]; then
        PATH=$system "$toplevel/bin/switch-to-configuration" boot
        code=$?
        if [ "$code" != 0 ]; then
          echo "making the boot entry failed: the profile goes back to generation $old" >&2
          nix-env --profile "$profile" --switch-generation "$old" || exit "$code"
        fi
      fi
      # One that stood before says that what boots is not known, which is so still.
      [ "$code" != 0 ] && [ -n "$marked" ] || rm -f "$marker"
    fi
    # What a new generation took the place of is written down for "rollback": a
    # generation that was switched to, or rolled back from, is not what ran before.
    [ "$code/$generation" != 0/- ] || [ "$was" = "$toplevel" ] || echo "$toplevel $was" >/nix/var/nix/flotilla-previous
    if [ "$code" = 0 ]; then
      rm -f "$base/report"
      over "committed 0"
    else
      # Undecided again, so that the old system can be restored.
      rm -f "$dir/before" "$dir/verdict"
    fi
    exit "$code"
    ;;
esac
