package nixcmd

import "fmt"

// EvalError says that Nix could not evaluate an attribute: a mistake in the
// configuration, a failed assertion, an input that cannot be fetched.
type EvalError struct {
	// Installable is what was evaluated, as one would type it.
	Installable string
	// Message is Nix's error, without colours, position and trace. It may have
	// several lines, as failed assertions do. It names files of the flake's source
	// tree as File does.
	Message string
	// File, Line and Column say where: what Nix names, or else, with a trace,
	// the innermost place in the flake. File is relative to the flake's source
	// tree if it is in it. "" and 0 if Nix does not know.
	File         string
	Line, Column int
	// Trace is how Nix came there, outermost first, one line an entry; empty
	// unless EvaluateOptions.ShowTrace was set.
	Trace []string
	// Argv, ExitCode and Stderr are as in Error.
	Argv     []string
	ExitCode int
	Stderr   string

	hint string
}

// TraceHint is the Hint of an error that was asked for without a trace.
const TraceHint = "for the way that Nix took to this error, show the trace"

// Error names the attribute, the position and the first line of the message.
func (e *EvalError) Error() string {
	if e.File == "" {
		return oneLine("nix: cannot evaluate "+e.Installable, e.Message)
	}
	return oneLine("nix: cannot evaluate "+e.Installable, fmt.Sprintf("%s:%d:%d", e.File, e.Line, e.Column), e.Message)
}

// Hint says what to do about it; "" if there is nothing sensible to say.
func (e *EvalError) Hint() string { return e.hint }

func traceLine(file string, line, col int, text string) string {
	text = oneLine(text)
	if file == "" {
		return text
	}
	return fmt.Sprintf("%s:%d:%d: %s", file, line, col, text)
}
