// Package ui shows people and scripts what a run does and what came of it.
//
// A Face shows a run as it goes on and what came of it: Live on a terminal, Plain
// as lines in a log, JSON to programs, Actions to GitHub. The functions, as
// Report and Errors, write one part of an answer each.
package ui

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nixflotilla/flotilla/fleet"
)

// Lines is a fleet.Sink that writes a line for each event worth reading, each
// with its host in front.
type Lines struct {
	screen  screen
	host    int
	verbose bool
}

// NewLines returns a sink that writes to w. The hosts are those of the run, for
// the width of the first column. With verbose, build logs and the start of each
// step are shown as well.
func NewLines(w io.Writer, hosts []fleet.Host, verbose bool) *Lines {
	l := &Lines{screen: newScreen(w), verbose: verbose}
	for _, h := range hosts {
		l.host = max(l.host, len(h.Name))
	}
	return l
}

// Event writes the event's line, if it is worth one.
func (l *Lines) Event(e fleet.Event) {
	switch e.Kind {
	case fleet.KindStarted:
		if l.verbose {
			l.line(e, dim, "…")
		}
	case fleet.KindDone:
		l.line(e, "", strings.TrimSpace(pad(Seconds(e.Duration), len("0.00 s"))+"  "+e.Text))
	case fleet.KindFailed:
		text := "failed after "
		switch {
		case errors.Is(e.Err, fleet.ErrAbandoned):
			text = "no longer waited for, after "
		case e.Cancelled:
			text = "interrupted after "
		}
		text += Seconds(e.Duration)
		if e.Text != "" {
			text += ": " + e.Text
		}
		l.line(e, red, text)
	case fleet.KindWarning:
		l.line(e, yellow, "warning: "+e.Text)
	case fleet.KindDecided:
		l.line(e, bold, e.Text)
	case fleet.KindLog:
		switch e.Step {
		case fleet.StepCopy, fleet.StepActivate, fleet.StepHealth, fleet.StepCommit, fleet.StepRestore:
			l.line(e, dim, e.Text)
		default:
			if l.verbose {
				l.line(e, dim, e.Text)
			}
		}
	case fleet.KindProgress:
		// An activation tells only of what it waits for.
		if e.Step == fleet.StepActivate {
			l.line(e, dim, e.Text)
		}
	case fleet.KindGivenUp, fleet.KindResult, fleet.KindExpected:
	}
}

const stepColumns = 8

// line writes a line. It is cut where it would not fit, but for what is to be known in
// full: warnings, and why a host was evaluated, which comes last.
func (l *Lines) line(e fleet.Event, color, text string) {
	step := string(e.Step)
	if e.Kind == fleet.KindDecided {
		step = "decide"
	}
	head := pad(e.Host, l.host) + " │ " + pad(step, stepColumns) + " "
	text = plain(text)
	if l.screen.width > 0 && !l.verbose && e.Kind != fleet.KindWarning && !(e.Step == fleet.StepEvaluate && (e.Kind == fleet.KindDone || e.Kind == fleet.KindFailed)) {
		text = cut(text, max(10, l.screen.width-utf8.RuneCountInString(head)))
	}
	text = l.screen.paint(color, text)
	fmt.Fprintln(l.screen.w, l.screen.paint(dim, head)+text)
}

// Seconds writes a duration as people read it: 0.04 s, 3.2 s, 75 s.
func Seconds(d time.Duration) string {
	switch s := d.Seconds(); {
	case s < 0.995:
		return fmt.Sprintf("%.2f s", s)
	case s < 59.95:
		return fmt.Sprintf("%.1f s", s)
	default:
		return fmt.Sprintf("%d min %02d s", int(s+0.5)/60, int(s+0.5)%60)
	}
}

// Count is "1 path", "2 paths".
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Bytes writes a size in binary units.
func Bytes(n int64) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%s%d B", sign, n)
	case n < 1<<20:
		return fmt.Sprintf("%s%.1f KiB", sign, float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%s%.1f MiB", sign, float64(n)/(1<<20))
	}
	return fmt.Sprintf("%s%.1f GiB", sign, float64(n)/(1<<30))
}
