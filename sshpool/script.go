package sshpool

import (
	"fmt"
	"io"
	"strings"
)

// longestArgument is how long a script may be, encoded, to be sent as an argument: what TCP sends
// before it has to wait (ten segments, RFC 6928), with room for the rest.
const longestArgument = 10 << 10

// runArgument runs the script that is its first argument.
const runArgument = `script=$1; shift; eval "$(printf %b "$script")"`

// argv is the remote command. A script goes with it if it is short: what comes over standard
// input costs a round trip more, since a server takes none until it has started the command.
func (cmd Cmd) argv() []string {
	if cmd.Script == "" {
		return cmd.Argv
	}
	if text := encoded(cmd.Script); len(text) <= longestArgument {
		return append([]string{"sh", "-c", runArgument, "sh", text}, cmd.Argv...)
	}
	return cmd.onStdin()
}

// onStdin is the remote command if a script comes over standard input.
func (cmd Cmd) onStdin() []string {
	if cmd.Script == "" {
		return cmd.Argv
	}
	return append([]string{"sh", "-s", "--"}, cmd.Argv...)
}

// stdin is the command's standard input. The braces make the shell read the
// whole script before it runs any of it; the first line keeps its number.
func (cmd Cmd) stdin() io.Reader {
	switch {
	case cmd.Script == "":
		return cmd.Stdin
	case len(encoded(cmd.Script)) <= longestArgument:
		return nil
	}
	return strings.NewReader("{ :; " + cmd.Script + "\n}\n")
}

// encoded is a text for printf's %b that is one line of ASCII without quotes, which Quote
// would have to leave the quotes for, and csh for more.
func encoded(text string) string {
	var b strings.Builder
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ', c > '~', c == '\'', c == '!', c == '\\':
			fmt.Fprintf(&b, `\0%03o`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
