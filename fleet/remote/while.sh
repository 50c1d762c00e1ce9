# Runs a command for as long as standard input stays open: ssh forwards no signal, so that
# this is how it is stopped. A background command of a shell has no terminal's interrupt.
#
#   COMMAND ARGUMENT...
exec 3<&0 </dev/null
"$@" 3<&- &
command=$!
{ cat <&3; kill "$command"; } >/dev/null 2>&1 &
watch=$!
exec 3<&-
wait "$command"
code=$?
kill "$watch" 2>/dev/null
exit "$code"
