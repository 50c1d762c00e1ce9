package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

// StepError says which step failed on which host, and carries all that is
// known of the command that failed.
type StepError struct {
	// Host is the host's name.
	Host string
	// Step is the step that failed.
	Step Step
	// Brief is the cause on one line, without what Host and Step tell already.
	Brief string
	// File, Line and Column say where an evaluation failed, as Brief does; File
	// is relative to the flake's source tree if it is in it. "" and 0 if that
	// is not known or does not apply.
	File         string
	Line, Column int
	// Argv is the command that failed, nil if it was none.
	Argv []string
	// ExitCode is that command's exit code, -1 if it has none.
	ExitCode int
	// Stderr is all it printed on standard error.
	Stderr string
	// Details are the few lines that help a person understand the cause beyond
	// its one-line text: where in the flake, the end of a build's log.
	Details []string
	// Hint is what to do about it; empty if nothing is known.
	Hint string
	// Err is the cause, never nil.
	Err error
}

// Error names host, step and cause on one line.
func (e *StepError) Error() string { return fmt.Sprintf("%s: %s: %s", e.Host, e.Step, e.Brief) }

// Unwrap returns the cause.
func (e *StepError) Unwrap() error { return e.Err }

// stepError wraps the cause of a failed step with all that its type tells.
func (j *job) stepError(s Step, err error) *StepError {
	e := &StepError{Host: j.host.Name, Step: s, ExitCode: -1, Err: err, Brief: err.Error()}
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		e.Hint = hinted.Hint()
	}
	var (
		activation *activationError
		ended      *endedError
		checks     *failedChecks
		refused    *refusedError
		eval       *nixcmd.EvalError
		build      *nixcmd.BuildError
		copied     *nixcmd.CopyError
		nix        *nixcmd.Error
		ssh        *sshpool.Error
		remote     *sshpool.ExitError
	)
	switch {
	case errors.As(err, &activation):
		e.Argv, e.ExitCode, e.Stderr = activation.command()
		e.Details = activation.details()
	case errors.As(err, &ended):
		e.Details = ended.details()
	case errors.As(err, &checks):
		e.Details = checks.lines()
	case errors.As(err, &refused):
		e.ExitCode, e.Stderr = refused.exit.Code, refused.exit.Stderr
	case errors.As(err, &eval):
		e.Argv, e.ExitCode, e.Stderr = eval.Argv, eval.ExitCode, eval.Stderr
		e.Brief, e.Details = evalDetails(eval)
		e.File, e.Line, e.Column = eval.File, eval.Line, eval.Column
		if e.Hint == nixcmd.TraceHint {
			e.Hint = "for the way that Nix took to this error: testHost " + j.host.Name
		}
	case errors.As(err, &build):
		e.Argv, e.ExitCode, e.Stderr = build.Argv, build.ExitCode, build.Stderr
		e.Brief, e.Details = buildDetails(build, err)
	case errors.As(err, &copied):
		e.Argv, e.ExitCode, e.Stderr = copied.Argv, copied.ExitCode, copied.Stderr
		e.Details = lastLines(e.Stderr)
	case errors.As(err, &nix):
		e.Argv, e.ExitCode, e.Stderr = nix.Argv, nix.ExitCode, nix.Stderr
		e.Details = lastLines(e.Stderr)
		if errors.Is(nix.Err, context.Canceled) { // whatever it was about to do
			e.Brief = nix.Err.Error()
		}
	case errors.As(err, &ssh):
		e.Argv, e.ExitCode, e.Stderr, e.Hint = ssh.Argv, ssh.ExitCode, ssh.Stderr, or(e.Hint, ssh.Hint)
		if ssh.HostKey.File == "" { // else the hint says it, and better
			e.Details = slices.DeleteFunc(lastLines(e.Stderr), func(line string) bool { return strings.Contains(e.Brief, strings.TrimSpace(line)) })
		}
	case errors.As(err, &remote):
		e.Argv, e.ExitCode, e.Stderr = remote.Argv, remote.Code, remote.Stderr
		e.Details = lastLines(e.Stderr)
	}
	return e
}

func evalDetails(e *nixcmd.EvalError) (brief string, details []string) {
	lines := strings.Split(strings.TrimSpace(e.Message), "\n")
	brief = lines[0]
	if e.File != "" {
		brief = fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, brief)
	}
	return brief, append(lines[1:], e.Trace...)
}

func buildDetails(e *nixcmd.BuildError, whole error) (brief string, details []string) {
	if len(e.Failed) == 0 {
		return whole.Error(), e.Messages
	}
	all, on := "all of it: ", ""
	var elsewhere *elsewhereError
	if errors.As(whole, &elsewhere) {
		all, on = "all of it, on "+elsewhere.on+": ", " on "+elsewhere.on
	}
	const tail = 15
	var names []string
	for _, f := range e.Failed {
		names = append(names, f.Derivation.Name())
		details = append(details, f.Derivation.Name()+":")
		for _, l := range f.LogTail[max(0, len(f.LogTail)-tail):] {
			details = append(details, "  "+l)
		}
		details = append(details, all+"nix log "+string(f.Derivation))
	}
	return "cannot build " + strings.Join(names, ", ") + on, details
}

func lastLines(text string) []string {
	const most = 8
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[max(0, len(lines)-most):]
}

// hintedError adds what to do to an error.
type hintedError struct {
	error
	hint string
}

func (e *hintedError) Unwrap() error { return e.error }
func (e *hintedError) Hint() string  { return e.hint }
