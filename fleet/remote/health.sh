# Makes health checks, all at the same time. Its arguments are, check after check,
#
#   unit    SECONDS N UNIT...          all N units are active
#   command SECONDS N PROGRAM ARG...   the command, of N words, exits with 0
#
# A line for each tells what it gave, "check-NUMBER ok|failed TEXT" or
# "check-NUMBER late"; the last line is "end".
PATH=/run/wrappers/bin:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:$PATH
export LC_ALL=C PATH

# Writes a line with one call, so that none comes in between.
say() { printf 'check-%s %s\n' "$number" "$*"; }

unit() {
  bad=
  for unit; do
    load= active= sub=
    text=$(timeout -k 1 "$seconds" systemctl show -p LoadState,ActiveState,SubState -- "$unit" 2>/dev/null)
    [ $? != 124 ] || { say late; return; }
    while IFS='=' read -r key value; do
      case $key in
        LoadState) load=$value ;;
        ActiveState) active=$value ;;
        SubState) sub=$value ;;
      esac
    done <<END
$text
END
    case $load/$active in
      */active | */reloading | */refreshing) ;;
      not-found/*) bad="$bad${bad:+, }there is no $unit" ;;
      /*) bad="$bad${bad:+, }systemd does not tell of $unit" ;;
      *) bad="$bad${bad:+, }$unit is $active ($sub)" ;;
    esac
  done
  if [ -n "$bad" ]; then
    say failed "$bad"
  elif [ $# = 1 ]; then
    say ok "$1 is active ($sub)"
  else
    say ok "all $# units are active"
  fi
}

# Of what the command printed only the last line is told, for whoever waits.
command() {
  text=$({ timeout -k 1 "$seconds" "$@" 2>&1; printf '\n%s\n' "$?"; } | tail -c 4000 | tr -d '\r\000' | sed '/^[[:space:]]*$/d' | tail -n 2)
  code=$(printf '%s\n' "$text" | tail -n 1)
  last=
  case $text in *"
"*) last=$(printf '%s\n' "$text" | head -n 1 | cut -c 1-300) ;; esac
  case $code in
    0) say ok "exit code 0${last:+: $last}" ;;
    124) say late ;;
    137) say failed "it was killed, for its timeout or by another" ;;
    *) say failed "exit code $code${last:+: $last}" ;;
  esac
}

number=0
while [ $# -gt 0 ]; do
  number=$((number + 1)) kind=$1 seconds=$2 words=$3
  shift 3
  (
    # Only the first of all words that are left are this check's.
    others=$(($# - words))
    while [ "$words" -gt 0 ]; do
      set -- "$@" "$1"
      shift
      words=$((words - 1))
    done
    shift "$others"
    "$kind" "$@"
  ) </dev/null &
  shift "$words"
done
wait
echo end ok
