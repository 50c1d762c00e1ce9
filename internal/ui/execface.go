package ui

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/nixflotilla/flotilla/fleet"
)

// Exec is a Face for a command that runs on hosts: what it prints is the answer,
// line by line as it comes, each with its host in front, and on the stream that
// it was printed on. What came of it goes to standard error.
type Exec struct {
	out, err io.Writer
	host     int
	verbose  bool

	mu sync.Mutex
}

// NewExec returns a Face that writes to out and err. The hosts and verbose are as
// for NewLines.
func NewExec(out, err io.Writer, hosts []fleet.Host, verbose bool) *Exec {
	x := &Exec{out: out, err: err, verbose: verbose}
	for _, h := range hosts {
		x.host = max(x.host, len(h.Name))
	}
	return x
}

// Event writes a line that the command printed.
func (x *Exec) Event(e fleet.Event) {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case e.Kind == fleet.KindLog && e.Stderr:
		x.line(x.err, e, yellow)
	case e.Kind == fleet.KindLog:
		x.line(x.out, e, "")
	case e.Kind == fleet.KindWarning:
		e.Text = "warning: " + e.Text
		x.line(x.err, e, yellow)
	}
}

// line is never cut: it may be read by a program.
func (x *Exec) line(w io.Writer, e fleet.Event, color string) {
	s := newScreen(w)
	fmt.Fprintln(w, s.paint(dim, pad(e.Host, x.host)+" │")+" "+s.paint(color, plain(e.Text)))
}

// Write shows a note.
func (x *Exec) Write(text []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.err.Write(text)
}

// Finish writes the table, which a single host on which all went well needs not,
// and what went wrong besides exit codes.
func (x *Exec) Finish(r *fleet.Report, _ func(io.Writer, *fleet.Report)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	good := r.ExitCode() == fleet.ExitOK
	if len(r.Results) > 1 || !good {
		Report(x.err, r)
	}
	if good {
		if len(r.Results) > 1 {
			fmt.Fprintln(x.err, Summary(r))
		}
		return
	}
	rest := *r
	rest.Results = nil
	for _, res := range r.Results {
		if x.verbose || !errors.Is(res.Err, fleet.ErrCommandFailed) {
			rest.Results = append(rest.Results, res)
		}
	}
	Errors(x.err, &rest, x.verbose)
	fmt.Fprintln(x.err)
}
