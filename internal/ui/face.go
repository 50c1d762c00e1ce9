package ui

import (
	"io"
	"os"

	"golang.org/x/term"

	"github.com/nixflotilla/flotilla/fleet"
)

// Face shows a run to whoever started it. Event and Write may be called from
// several goroutines; Finish comes last.
type Face interface {
	fleet.Sink
	// Write shows a note on the run as a whole, in whole lines.
	io.Writer
	// Finish ends what is shown of the progress and writes what came of it.
	// Answer, if not nil, writes what the standard output has for itself; people
	// then find the report on the standard error.
	Finish(r *fleet.Report, answer func(io.Writer, *fleet.Report))
}

// CanLive reports whether a file can show a Live view: a terminal that
// understands cursor movements (TERM is neither empty nor "dumb"), and nobody
// has said with CI, as build services do, that a log is being written.
func CanLive(f *os.File) bool {
	kind := os.Getenv("TERM")
	return kind != "" && kind != "dumb" && os.Getenv("CI") == "" && isTerminal(f)
}

// file is what an *os.File has that terminals are known by.
type file interface{ Fd() uintptr }

func isTerminal(w io.Writer) bool {
	f, ok := w.(file)
	return ok && term.IsTerminal(int(f.Fd()))
}

// answers are where what came of a run goes.
type answers struct {
	out, err io.Writer
	verbose  bool
}

// write writes the plan or the table and, if all is well, the summary to out. If
// out has an answer of its own they go to err, without the plan, which that
// answer tells in another form. Errors go to err, and their summary is left to
// be the program's last word.
func (a answers) write(r *fleet.Report, answer func(io.Writer, *fleet.Report)) {
	out := a.out
	if answer != nil {
		answer(a.out, r)
		out = a.err
	}
	switch {
	case r.Planned && answer == nil:
		plan(out, r)
	case r.Planned && len(r.Results) > 1:
		planTable(newScreen(out), r)
	case r.Planned: // the answer has told it all
	case findings(out, r):
	case len(r.Results) > 1:
		Report(out, r)
	}
	if r.ExitCode() == fleet.ExitOK {
		io.WriteString(out, Summary(r)+"\n")
		return
	}
	Errors(a.err, r, a.verbose)
	io.WriteString(a.err, "\n")
}

// Plain is a Face that writes a line per event, and the answer after them.
type Plain struct {
	*Lines
	answers
}

// NewPlain returns a Face whose progress and errors go to err and whose answer
// goes to out. The hosts and verbose are as for NewLines.
func NewPlain(out, err io.Writer, hosts []fleet.Host, verbose bool) *Plain {
	return &Plain{NewLines(err, hosts, verbose), answers{out, err, verbose}}
}

// Write shows a note.
func (p *Plain) Write(text []byte) (int, error) { return p.err.Write(text) }

// Finish writes the answer.
func (p *Plain) Finish(r *fleet.Report, answer func(io.Writer, *fleet.Report)) { p.write(r, answer) }
