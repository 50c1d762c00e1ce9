# Deletes the store paths on standard input, one a line, and no others; nothing if one of
# them is in use. What a copy that was cut off has left of one counts. It needs no root.
# Answers are "key value" lines that end with "end":
#
#   left PATH   for each that is still there
PATH=/run/wrappers/bin:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:$PATH
export LC_ALL=C PATH
paths=$(cat)
there() { printf '%s\n' "$paths" | while read -r p; do [ ! -e "$p" ] || printf '%s\n' "$p"; done; }

all=$paths
paths=$(there)
if [ -n "$paths" ]; then
  printf '%s\n' "$paths" | xargs nix-store --delete >/dev/null
  there | sed 's/^/left /'
fi
# The lock of a path whose copy was cut off is an empty file, which stays where the
# store can only be written to by Nix.
[ ! -w /nix/store ] || printf '%s\n' "$all" | sed 's/$/.lock/' | xargs rm -f 2>/dev/null
echo end ok
