# Keeps a system from the garbage collector until the next one of that fleet and
# host is kept; it takes no more than being one of Nix's users.
#
#   FLEET HOST TOPLEVEL
PATH=/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin:/usr/local/bin:/usr/bin:/bin:$PATH
export LC_ALL=C PATH
dir=${XDG_STATE_HOME:-$HOME/.local/state}/flotilla/roots/$1
mkdir -p -- "$dir" && nix-store --add-root "$dir/$2" --realise "$3" >/dev/null || exit 1
printf 'end ok\n'
