#! /bin/sh
# check-inhibitors.sh TOPLEVEL ACTION: refuses to switch into a system in which
# a switch inhibitor has another value. The files hold one key a line.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin

case ${2-} in
  boot | dry-activate)
    echo "Not checking switch inhibitors (action = $2)"
    exit
    ;;
esac

printf 'Checking switch inhibitors...'
current=/run/current-system/switch-inhibitors
[ -f "$current" ] || current=/dev/null
incoming=$1/switch-inhibitors
[ -f "$incoming" ] || incoming=/dev/null

changes=$(awk '
  !/^  "/ { next }
  {
    line = $0
    sub(/^  /, "", line)
    sub(/,$/, "", line)
    at = index(line, ": ")
    key = substr(line, 2, at - 3)
    value = substr(line, at + 3, length(line) - at - 3)
    if (FILENAME == ARGV[1]) old[key] = value
    else if (key in old && old[key] != value) print key " : " old[key] " -> " value
  }
' "$current" "$incoming")

if [ -z "$changes" ]; then
  echo " done"
  exit
fi
cat <<EOF

There are changes to critical components of the system:

$changes

Switching into this system is not recommended.
You probably want to run 'nixos-rebuild boot' and reboot your system instead.

If you really want to switch into this configuration directly, then
you can set NIXOS_NO_CHECK=1 to ignore pre-switch checks.

WARNING: doing so might cause the switch to fail or your system to become unstable.

EOF
exit 1
