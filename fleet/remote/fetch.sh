# Fetches from one binary cache what a host's store lacks of the paths on standard
# input, a line "SIZE PATH" each, sorted by path. Which of them are signed by a key that
# this host trusts, its own Nix decides. It needs no root, but a user whom Nix trusts, or
# a cache that is among its trusted-substituters.
#
#   MODE URL LEAST RATE
#
# MODE is "only" for that cache alone, or "also" for the host's own substituters as well.
# The whole may take LEAST seconds and one more for each RATE bytes. Nix's own log goes to
# standard error; answers are "key value" lines that end with "end":
#
#   lacked PATH    for each path that the store lacked before
#   lacks PATH     for each that it lacks now
#   key KEY        for each of the host's trusted-public-keys, if it lacks any
PATH=/run/wrappers/bin:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:$PATH
export LC_ALL=C PATH
say() { [ -z "$2" ] || printf '%s\n' "$2" | sed "s/^/$1 /"; }
invalid() { [ -z "$1" ] || printf '%s\n' "$1" | xargs nix-store --check-validity --print-invalid; }

all=$(cat)
lacked=$(invalid "$(printf '%s\n' "$all" | cut -d ' ' -f 2)") || exit
say flotilla-fetch 1
say lacked "$lacked"
lacks=
if [ -n "$lacked" ]; then
  substituters=substituters
  [ "$1" = only ] || substituters=extra-substituters
  bytes=$({ printf '%s\n' "$lacked"; printf '%s\n' "$all"; } |
    awk 'NF == 1 { lacked[$1] = 1 } NF == 2 && $2 in lacked { sum += $1 } END { printf "%.0f", sum }')
  # What the cache had or lacked the last time is not believed. A single attempt: Nix
  # would not give up one that is down any sooner. With fallback, it leaves it alone then.
  printf '%s\n' "$lacked" | timeout -k 5 "$(($3 + bytes / $4))" \
    xargs nix-store --realise --keep-going --max-jobs 0 \
    --option "$substituters" "$2" --option fallback true \
    --option narinfo-cache-positive-ttl 0 --option narinfo-cache-negative-ttl 0 \
    --option connect-timeout 5 --option download-attempts 1 --option stalled-download-timeout 15 \
    >/dev/null &
  fetch=$!
  # Nobody tells the host that it is no longer waited for: its answer cannot be written.
  trap '' PIPE
  { while sleep 1 >/dev/null && printf 'alive yes\n'; do :; done; kill "$fetch"; } 2>/dev/null &
  watch=$!
  wait "$fetch"
  say status "$?"
  kill "$watch" 2>/dev/null
  lacks=$(invalid "$lacked") || exit
fi
say lacks "$lacks"
if [ -n "$lacks" ]; then
  nix() { command nix --extra-experimental-features nix-command "$@" 2>/dev/null; }
  keys=$(nix config show trusted-public-keys || nix show-config trusted-public-keys)
  for key in $keys; do
    say key "$key"
  done
fi
say end ok
