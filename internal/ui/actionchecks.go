package ui

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/nixflotilla/flotilla/fleet"
)

// ActionsChecks is what Actions does for hosts, for checks of the flake: an
// annotation for all that is wrong, written to w, and a table in the job's
// summary, the file that is appended to; "" means no table.
func ActionsChecks(w io.Writer, summary string, checks []fleet.Check) error {
	for _, c := range checks {
		for _, err := range c.Problems {
			e := &fleet.StepError{Brief: err.Error()}
			e.File, e.Line, e.Column = fleet.PositionOf(err)
			io.WriteString(w, annotate(e, c.Name+" failed"))
		}
	}
	if summary == "" {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "| Check of the flake | Outcome | Time | Why |\n|---|---|---|---|\n")
	for _, c := range checks {
		mark, why := "✅", c.Text
		if len(c.Problems) > 0 {
			mark, why = "❌", errors.Join(c.Problems...).Error()
		}
		fmt.Fprintf(&b, "| %s | %s %s | %s | %s |\n", markdownText(c.Name), mark, checkOutcome(c), Seconds(c.Duration),
			markdownText(cut(strings.ReplaceAll(why, "\n", "; "), 400)))
	}
	if err := appendFile(summary, b.String()+"\n"); err != nil {
		return fmt.Errorf("the job's summary could not be written: %w", err)
	}
	return nil
}
