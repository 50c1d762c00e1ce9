package ui

import (
	"io"

	"github.com/nixflotilla/flotilla/fleet"
)

// findings writes what was found out about hosts, and reports whether that says
// all that the table of outcomes would.
func findings(w io.Writer, r *fleet.Report) (all bool) {
	for _, res := range r.Results {
		hostChecks(w, res)
		switch {
		case res.Difference != nil && (res.Outcome == fleet.Compared || res.Outcome == fleet.Unchanged):
			difference(newScreen(w), res, len(r.Results) == 1)
		case res.Analysis != nil:
			Analysis(w, res)
		case res.Generations != nil:
			Generations(w, res)
		case res.Status != nil && res.Checks == nil:
			all = true
		}
	}
	if all {
		Status(w, r)
	}
	return all
}
