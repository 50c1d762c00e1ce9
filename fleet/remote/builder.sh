# Says what a machine's Nix builds, as "key value" lines that end with "end". It changes
# nothing. No arguments.
#
# Nix starts this program by name, with the PATH that a command over ssh has without further
# ado.
daemon=$(command -v nix-daemon)
PATH=/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin:/usr/local/bin:/usr/bin:/bin:$PATH
export LC_ALL=C PATH
printf 'flotilla-builder 1\nnix-daemon %s\nuser %s\n' "$daemon" "$(id -un 2>/dev/null)"
nix() { command nix --extra-experimental-features nix-command "$@" 2>/dev/null; }
# "config show" was "show-config" before Nix 2.20, and "store info" "store ping" before 2.19.
{ nix config show || nix show-config; } | while read -r name is value; do
  case $name in system | extra-platforms | system-features | max-jobs) printf '%s %s\n' "$name" "$value" ;; esac
done
printf 'store %s\n' "$(nix store info --json || nix store ping --json)"
printf 'end ok\n'
