package sshpool

import (
	"fmt"
	"io"
	"strings"
)

// longestArgument is how long a script may be, in bytes, to be sent as an argument: with what encoding
// and quoting add, about what TCP sends before it has to wait (ten segments, RFC 6928).
const longestArgument = 8 << 10

// runArgument runs the script that is its first argument.
const runArgument = `script=$1; shift; eval "$(printf %b "$script")"`

// argv is the remote command. A script goes with it if it is short: what comes over standard
// input costs a round trip more, since a server takes none until it has started the command.
func (cmd Cmd) argv() []string {
	if cmd.Script == "" {
		return cmd.Argv
	}
	if len(cmd.Script) <= longestArgument {
		return append([]string{"sh", "-c", runArgument, "sh", encoded(cmd.Script)}, cmd.Argv...)
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

// stdin is the command's standard input.
func (cmd Cmd) stdin() io.Reader {
	switch {
	case cmd.Script == "":
		return cmd.Stdin
	case len(cmd.Script) <= longestArgument:
		return nil
	}
	return strings.NewReader(readWhole(cmd.Script))
}

// readWhole is a script of which the shell reads all, for the braces, before it runs any of
// it; the first line keeps its number.
func readWhole(script string) string { return "{ :; " + script + "\n}\n" }

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
