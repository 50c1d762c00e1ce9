# Answers which generations the system profile has, as "key value" lines without
# an end: it stands before survey.sh, in a subshell, and in the same session. It
# changes nothing. No arguments.
(
PATH=/run/wrappers/bin:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:$PATH
export LC_ALL=C PATH
say() { printf '%s %s\n' "$1" "$2"; }

# What the last deployment made the profile, and what was it before.
say generations/previous "$(head -n 1 /nix/var/nix/flotilla-previous 2>/dev/null)"
cd /nix/var/nix/profiles 2>/dev/null || exit 0
# A profile may have hundreds: no process for each.
find . -maxdepth 1 -type l -name 'system-*-link' -printf 'generations/%f/made %T@\ngenerations/%f/path %l\n' 2>/dev/null
find system-*-link/kernel -maxdepth 0 -printf 'generations/%h/kernel %l\n' 2>/dev/null
find system-*-link/specialisation -mindepth 1 -maxdepth 1 -printf 'generations/%h/%f %l\n' 2>/dev/null
for link in system-*-link; do
  [ -e "$link" ] || say "generations/$link/gone" yes
  version=
  # The file may lack its line feed, at which read fails.
  read -r version 2>/dev/null <"$link/nixos-version"
  say "generations/$link/nixos" "$version"
done
)
