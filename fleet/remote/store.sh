# Answers what a host's store lacks of the paths on standard input, one a line,
# and what the closure of the path LIVE is, if one is given. It needs no root and
# changes nothing. Answers are "key value" lines that end with "end":
#
#   missing PATH   for each path that the store lacks
#   live PATH      for each path of the closure, then as many
#   size BYTES     in the same order
PATH=/run/wrappers/bin:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:$PATH
export LC_ALL=C PATH
say() { [ -z "$2" ] || printf '%s\n' "$2" | sed "s/^/$1 /"; }

missing=$(xargs nix-store --check-validity --print-invalid) || exit
live= sizes=
if [ -n "$1" ]; then
  live=$(nix-store --query --requisites "$1") || exit
  sizes=$(printf '%s\n' "$live" | xargs nix-store --query --size) || exit
fi
say flotilla-store 1
say missing "$missing"
say live "$live"
say size "$sizes"
say end ok
