# Runs a script as root, by a sudo that may want a password. Standard input is the
# password on a line, then the script; the arguments are the script's. "flotilla-root 1"
# comes before what the script prints, and only if it is run.
#
# sudo's own standard input holds the password and ends there: a wrong one is tried
# once, and one that sudo does not ask for is read by nobody. The script waits in
# another pipe, which the shell that is root opens.
ulimit -S -c 0
# An external one would have the password among its arguments.
case $(command -v printf) in /*) echo "the host's sh has no printf of its own, to give sudo a password with" >&2; exit 97 ;; esac
unset password
IFS= read -r password || exit 97
cat | (
  exec 3<&0
  # Of this subshell, which $$ is not.
  self=$(exec sh -c 'echo "$PPID"')
  printf '%s\n' "$password" | sudo -k -S -p '' -- sh -c 'exec <"$0" && printf "\nflotilla-root 1\n" && exec sh -s -- "$@"' "/proc/$self/fd/3" "$@"
)
