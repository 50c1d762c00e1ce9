package sshpool

import (
	"errors"
	"fmt"
	"strconv"
)

// ErrClosed is the cause of errors of a Pool or Conn that was closed.
var ErrClosed = errors.New("the ssh connection pool is closed")

// Kind classifies what went wrong with a connection.
type Kind int

const (
	// KindUnknown is everything the other kinds do not name.
	KindUnknown Kind = iota
	// KindUnreachable: refused, timed out, no route, name not found, or
	// closed before the log-in.
	KindUnreachable
	// KindHostKeyUnknown: known_hosts has no key for the host.
	KindHostKeyUnknown
	// KindHostKeyChanged: the host's key is not the known one, or is revoked.
	KindHostKeyChanged
	// KindAuth: the host refused every key or the user.
	KindAuth
	// KindLost: the connection died while the command may have been running.
	KindLost
	// KindNoSSH: the ssh program is missing or cannot be run.
	KindNoSSH
	// KindConfig: a bad Target, Cmd, Config or ssh_config(5).
	KindConfig
	// KindCancelled: the context ended first; errors.Is finds its cause.
	KindCancelled
)

// String returns the kind in plain words.
func (k Kind) String() string {
	switch k {
	case KindUnreachable:
		return "unreachable"
	case KindHostKeyUnknown:
		return "host key unknown"
	case KindHostKeyChanged:
		return "host key changed"
	case KindAuth:
		return "log-in refused"
	case KindLost:
		return "connection lost"
	case KindNoSSH:
		return "no ssh program"
	case KindConfig:
		return "bad ssh configuration"
	case KindCancelled:
		return "cancelled"
	}
	return "ssh failed"
}

// Error is a failure of the connection, never of the remote command.
type Error struct {
	// Target is the host concerned; zero for errors of New.
	Target Target
	// Kind is what to decide by.
	Kind Kind
	// Argv is the local ssh command, with `sh -s --` for a script, however that is sent; nil if
	// none was run.
	Argv []string
	// ExitCode is ssh's exit code, or -1 if there is none.
	ExitCode int
	// Stderr is what ssh itself had to say, without the remote command's
	// standard error.
	Stderr string
	// Hint says what to do; it may be empty.
	Hint string
	// Jump is the jump host that could not be connected to; zero if that is not
	// what failed, or ssh was left to see to it.
	Jump Target
	// HostKey is what is known of the key with KindHostKeyChanged.
	HostKey HostKey
	// NotStarted is true if the remote command has provably not begun, so that
	// running it again cannot do its work twice.
	NotStarted bool
	// Err is the cause, if there is one: context.Cause of an ended context,
	// ErrClosed, or what the operating system said.
	Err error

	reconnect bool // a new connection may well serve the same command
	refused   bool // the host would open no further session
	busy      bool // the host closed the connection before the log-in
	unpassed  bool // Config.SocketProgram made no connection, for no reason of the host's
}

// Error names the target, the kind and the most telling line.
func (e *Error) Error() string {
	text := e.Kind.String()
	if e.Target.Host != "" {
		text = e.Target.String() + ": " + text
	}
	if e.Jump.Host != "" {
		text += " (jump host " + e.Jump.String() + ")"
	}
	if line := tellingLine(e.Stderr); line != "" {
		return text + ": " + line
	}
	if e.Err != nil {
		return text + ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause, if there is one.
func (e *Error) Unwrap() error { return e.Err }

// ExitError says that a remote command ran and did not exit with 0.
type ExitError struct {
	// Target is the host the command ran on.
	Target Target
	// Argv is the remote command, or the arguments of its script.
	Argv []string
	// Code is the remote exit code, or -1 if a signal ended the command; a
	// log-in shell that waits for the command makes 128 plus the signal of it.
	Code int
	// Stderr is the command's whole standard error.
	Stderr string
}

// Error names the target, the exit code and the last line of standard error.
func (e *ExitError) Error() string {
	what := "ended by a signal"
	if e.Code >= 0 {
		what = "exit code " + strconv.Itoa(e.Code)
	}
	name := "script"
	if len(e.Argv) > 0 {
		name = e.Argv[0]
	}
	if line := lastLine(e.Stderr); line != "" {
		return fmt.Sprintf("%s: %s: %s: %s", e.Target, name, what, line)
	}
	return fmt.Sprintf("%s: %s: %s", e.Target, name, what)
}
