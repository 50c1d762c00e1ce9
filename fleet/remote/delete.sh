# Deletes the store paths on standard input, one a line, and no others; nothing if one of
# them is in use. What a copy that was cut off has left of one counts. It needs no root.
# Answers are "key value" lines that end with "end":
#
#   left PATH   for each that is still there
PATH=/run/wrappers/bin:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:$PATH
export LC_ALL=C PATH
paths=$(cat)
there() { printf '%s\n' "$paths" | while read -r p; do [ ! -e "$p" ] || printf '%s\n' "$p"; done; }

paths=$(there)
if [ -n "$paths" ]; then
  printf '%s\n' "$paths" | xargs nix-store --delete >/dev/null
  there | sed 's/^/left /'
fi
echo end ok
