package ui

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/nixflotilla/flotilla/fleet"
)

// hostChecks writes the checks of a host that has some: a line each, with all
// that is wrong.
func hostChecks(w io.Writer, res fleet.Result) {
	if len(res.Checks) == 0 {
		return
	}
	s := newScreen(w)
	verdict, color := "ready", green
	if !res.Outcome.OK() {
		verdict, color = "not ready", red
	}
	fmt.Fprintf(w, "%s: %s\n", s.paint(bold, plain(res.Host.Name)), s.paint(color, verdict))
	name := 0
	for _, c := range res.Checks {
		name = max(name, len(c.Name))
	}
	for _, c := range res.Checks {
		outcome, color := hostCheckOutcome(c)
		head := fmt.Sprintf("  %s  %s  ", s.paint(color, pad(outcome, len("warning"))), pad(c.Name, name))
		indent := len("  warning  ") + name + len("  ")
		lines := s.wrap(hostCheckTexts(c), indent)
		if len(lines) == 0 {
			fmt.Fprintln(w, strings.TrimRight(head, " "))
		}
		for i, line := range lines {
			if i > 0 {
				head = pad("", indent)
			}
			fmt.Fprintln(w, head+line)
		}
	}
}

// hostCheckTexts are what there is to say of a check, the worst first.
func hostCheckTexts(c fleet.Check) []string {
	var texts []string
	for _, err := range c.Problems {
		text := err.Error()
		var se *fleet.StepError
		if errors.As(err, &se) {
			text = se.Brief
		}
		texts = append(texts, text)
	}
	texts = append(texts, c.Warnings...)
	if c.Text != "" {
		texts = append(texts, c.Text)
	}
	return texts
}

func hostCheckOutcome(c fleet.Check) (outcome, color string) {
	switch {
	case len(c.Problems) > 0:
		return "failed", red
	case len(c.Warnings) > 0:
		return "warning", yellow
	}
	return "ok", green
}

type jsonHostCheck struct {
	Name     string       `json:"name"`
	Outcome  string       `json:"outcome"`
	Text     string       `json:"text,omitempty"`
	Warnings []string     `json:"warnings,omitempty"`
	Problems []*jsonError `json:"problems,omitempty"`
}

// newJSONHostChecks is nil for none.
func newJSONHostChecks(checks []fleet.Check) []jsonHostCheck {
	var out []jsonHostCheck
	for _, c := range checks {
		outcome, _ := hostCheckOutcome(c)
		h := jsonHostCheck{Name: c.Name, Outcome: outcome, Text: harmless(c.Text), Warnings: allHarmless(c.Warnings)}
		for _, err := range c.Problems {
			h.Problems = append(h.Problems, newJSONError(err))
		}
		out = append(out, h)
	}
	return out
}
