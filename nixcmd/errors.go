package nixcmd

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// Error is a nix command that did not do its work, for reasons that no other
// error of this package describes better.
type Error struct {
	// Op is what was attempted, in words: "query the closure".
	Op string
	// Argv is the command as it was run.
	Argv []string
	// ExitCode is that of the command; -1 if it has none, having been ended by
	// a signal or not been started.
	ExitCode int
	// Stderr is everything the command printed on standard error, for people:
	// where the command logs JSON, its messages as lines of text without
	// colours, and no build logs.
	Stderr string
	// Err is the cause: that of a cancelled context, what kept the command from
	// starting, the signal that ended it, or what was wrong with its answer.
	// nil if the exit code is all that is known.
	Err error

	hint     string
	notFound bool // the program is missing
}

// Error says what failed and why, in one line.
func (e *Error) Error() string {
	program := "nix"
	if len(e.Argv) > 0 && e.Argv[0] == "git" {
		program = "git"
	}
	return oneLine(program+": cannot "+e.Op, cause(e.Err, e.ExitCode, lastMessage(e.Stderr)))
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do about it; "" if there is nothing sensible to say.
func (e *Error) Hint() string { return e.hint }

// NotInstalledError says that there is no nix to run.
type NotInstalledError struct {
	// Program is what was looked for.
	Program string
	// Err is the reason that the operating system gave.
	Err error
}

// Error says which program is missing.
func (e *NotInstalledError) Error() string {
	return fmt.Sprintf("nix: %s cannot be run: Nix is not installed or not in PATH", e.Program)
}

// Unwrap returns Err.
func (e *NotInstalledError) Unwrap() error { return e.Err }

// Hint says how to get Nix.
func (e *NotInstalledError) Hint() string {
	return "install Nix (https://nixos.org/download), or open a new shell so that PATH has it"
}

// TooOldError says that the nix found is older than what is supported.
type TooOldError struct {
	// Found is the version of the nix in use, Minimum the oldest supported.
	Found, Minimum Version
	// Program is the nix in use.
	Program string
}

// Error names both versions.
func (e *TooOldError) Error() string {
	return fmt.Sprintf("nix: version %s of %s is older than %s", e.Found, e.Program, e.Minimum)
}

// Hint says what to do.
func (e *TooOldError) Hint() string {
	return fmt.Sprintf("upgrade Nix to %s or later (`nix upgrade-nix`, or the nix.package option of NixOS)", e.Minimum)
}

// commandError makes an *Error of what proc.Run returned.
func commandError(op string, argv []string, res proc.Result, err error) *Error {
	e := &Error{Op: op, Argv: argv, ExitCode: res.Code, Stderr: plain(string(res.Stderr))}
	var pe *proc.Error
	if !errors.As(err, &pe) {
		e.Err = err
		return e
	}
	e.Err = pe.Err
	if e.notFound = pe.NotFound(); e.notFound {
		e.hint = "check that Nix is installed and in PATH"
	}
	return e
}

// cause chooses what an error's one line ends with. What a command printed
// before it was ended from outside is not why it ended.
func cause(err error, exitCode int, message string) string {
	switch {
	case err != nil:
		return err.Error()
	case message != "":
		return message
	}
	return fmt.Sprintf("exit code %d", exitCode)
}

// oneLine joins the parts of an error and makes sure that they are one line of
// bearable length.
func oneLine(parts ...string) string {
	line := strings.Join(strings.Fields(strings.Join(parts, ": ")), " ")
	const limit = 500
	if len(line) > limit {
		line = strings.ToValidUTF8(line[:limit], "") + "…"
	}
	return line
}

// lastMessage is the last line of a text, without the word "error: " of Nix or
// "fatal: " of Git.
func lastMessage(text string) string {
	return strings.TrimPrefix(strings.TrimPrefix(proc.LastLine(text), "error: "), "fatal: ")
}
