package ui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/fleet"
)

// Problem writes an error as a line of its own.
func Problem(w io.Writer, err error) { fmt.Fprintln(w, plain(err.Error())) }

// Checks writes what came of each check of the flake: a line each and what its
// validators said to out, what is wrong and what was warned of to errOut.
func Checks(out, errOut io.Writer, checks []fleet.Check) {
	s, e := newScreen(out), newScreen(errOut)
	name := len("CHECK")
	for _, c := range checks {
		name = max(name, len(plain(c.Name)))
	}
	fmt.Fprintln(out, s.paint(dim, pad("CHECK", name)+"  OUTCOME  TIME"))
	for _, c := range checks {
		color := green
		if len(c.Problems) > 0 {
			color = red
		}
		row := fmt.Sprintf("%s  %s  %s", pad(plain(c.Name), name), s.paint(color, pad(checkOutcome(c), len("OUTCOME"))), Seconds(c.Duration))
		if c.Known != "" {
			row += "  " + c.Known
		}
		fmt.Fprintln(out, row)
		for line := range strings.Lines(strings.TrimSpace(c.Text)) {
			fmt.Fprintf(out, "  %s\n", plain(strings.TrimSuffix(line, "\n")))
		}
	}
	for _, c := range checks {
		for _, w := range c.Warnings {
			fmt.Fprintln(errOut, e.paint(yellow, plain(c.Name+": warning: "+w)))
		}
		for _, err := range c.Problems {
			fmt.Fprintln(errOut, e.paint(red, plain(c.Name+": "+err.Error())))
		}
	}
}

func checkOutcome(c fleet.Check) string {
	switch {
	case len(c.Problems) == 0:
		return "ok"
	case !slices.ContainsFunc(c.Problems, func(err error) bool { return !errors.Is(err, context.Canceled) }):
		return "cancelled"
	}
	return "failed"
}

// CheckSummary is one line on all checks.
func CheckSummary(checks []fleet.Check) string {
	of := map[string]int{}
	for _, c := range checks {
		of[checkOutcome(c)]++
	}
	var parts []string
	for _, bad := range []string{"failed", "cancelled"} {
		if of[bad] > 0 {
			parts = append(parts, fmt.Sprintf("%d of %d %s", of[bad], len(checks), bad))
		}
	}
	if len(parts) == 0 {
		return "checks of the flake: all ok"
	}
	return "checks of the flake: " + strings.Join(parts, ", ")
}

// JSONChecks writes a line of the kind "check" for each check, in the form of
// JSON's lines: host is absent, text is the check's name, outcome "ok", "failed" or
// "cancelled", reason what it returned, error the first thing that is wrong with
// all of them as its details.
func JSONChecks(w io.Writer, checks []fleet.Check) {
	j := NewJSON(w)
	for _, c := range checks {
		e := jsonEvent{Kind: "check", Text: harmless(c.Name), Seconds: seconds(c.Duration), Outcome: checkOutcome(c), Reason: harmless(c.Text), Known: c.Known}
		if len(c.Problems) > 0 {
			e.Error = newJSONError(c.Problems[0])
			for _, err := range c.Problems {
				e.Error.Details = append(e.Error.Details, plain(err.Error()))
			}
		}
		j.line(time.Now(), e)
	}
}
