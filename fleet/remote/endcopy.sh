# Ends the processes that have MARK (NAME=VALUE) in their environment: the Nix of a copy
# whose connection is gone without its having been told, as when an address has changed. It
# holds the lock of the path that it was at, for which the next copy would wait. It needs
# no root to end what the same user has started.
PATH=/run/wrappers/bin:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:$PATH
export LC_ALL=C PATH
for signal in TERM TERM KILL; do
  left=$(grep -lsazxF -e "$1" /proc/[0-9]*/environ)
  [ -n "$left" ] || exit 0
  for p in $left; do
    p=${p#/proc/}
    kill -s $signal "${p%/environ}" 2>/dev/null
  done
  sleep 0.3
done
exit 0
