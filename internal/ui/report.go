package ui

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/nixflotilla/flotilla/fleet"
)

// Report writes what became of each host, a line each, and what there is to say of all.
func Report(w io.Writer, r *fleet.Report) { newScreen(w).report(r) }

func (s screen) report(r *fleet.Report) {
	w := s.w
	host, outcome, took := len("HOST"), len("OUTCOME"), len("TIME")
	for _, res := range r.Results {
		host, outcome, took = max(host, len(res.Host.Name)), max(outcome, len(res.Outcome)), max(took, len(Seconds(res.Duration)))
	}
	// Why is left out where nothing of it could be read, as in a table.
	room := s.width - host - outcome - took - 6
	told := s.width == 0 || room >= legible
	head := pad("HOST", host) + "  " + pad("OUTCOME", outcome) + "  " + pad("TIME", took)
	if told {
		head += "  WHY"
	}
	fmt.Fprintln(w, s.paint(dim, head))
	for _, res := range r.Results {
		why := "  " + cut(plain(why(res)), room)
		if !told {
			why = ""
		}
		fmt.Fprintf(w, "%s  %s  %s%s\n", pad(res.Host.Name, host),
			s.paint(outcomeColor(res.Outcome), pad(string(res.Outcome), outcome)), pad(Seconds(res.Duration), took), why)
	}
	foot := []string{builtBy(r)}
	if s.width > 0 {
		foot = append(foot, evaluated(r))
	}
	for _, line := range foot {
		if line != "" {
			fmt.Fprintln(w, s.paint(dim, plain(line)))
		}
	}
}

// builtBy says how the builds of a run were spread over the fleet's builders; "" if it has
// none, or if nothing was built.
func builtBy(r *fleet.Report) string {
	var parts []string
	for _, b := range r.Builders() {
		name := b.Builder
		if name == "" {
			name = "this machine"
		}
		parts = append(parts, fmt.Sprintf("%s %d", name, b.Derivations))
	}
	if len(parts) == 0 {
		return ""
	}
	return "built by: " + strings.Join(parts, ", ")
}

// why is one sentence on a result.
func why(res fleet.Result) string {
	var se *fleet.StepError
	if errors.As(res.Err, &se) {
		return fmt.Sprintf("%s: %s", se.Step, se.Brief)
	}
	if len(res.RebootFor) > 0 {
		return strings.TrimPrefix(res.Reason+"; a reboot is needed for: "+strings.Join(res.RebootFor, ", "), "; ")
	}
	return res.Reason
}

// Errors writes what went wrong, host by host: the error, the last lines of
// what its command printed, and what to do.
func Errors(w io.Writer, r *fleet.Report, verbose bool) {
	s := newScreen(w)
	for _, res := range r.Results {
		var se *fleet.StepError
		// A cancelled host needs no word, unless something goes on there.
		if !errors.As(res.Err, &se) || res.Outcome == fleet.Cancelled && se.Hint == "" {
			continue
		}
		failed := " failed"
		if res.Outcome == fleet.Cancelled {
			failed = ""
		}
		fmt.Fprintf(w, "\n%s\n", s.paint(red, plain(fmt.Sprintf("%s: %s%s: %s", se.Host, se.Step, failed, se.Brief))))
		for _, line := range details(se, verbose) {
			fmt.Fprintf(w, "  %s\n", s.paint(dim, plain(line)))
		}
		if se.Hint != "" {
			fmt.Fprintf(w, "  %s\n", plain(se.Hint))
		}
	}
}

// Summary is one line on a whole run.
func Summary(r *fleet.Report) string {
	if text := statusSummary(r); text != "" {
		return text
	}
	if r.Planned {
		return outcomes(r, planWordIn(r)) + " (a plan: nothing was activated)"
	}
	return outcomes(r, func(o fleet.Outcome) string { return string(o) }) + cached(r) + notPushed(r)
}

// notPushed says how many systems should have got to the fleet's cache and did not: the
// hosts are well, and nothing else in the end tells.
func notPushed(r *fleet.Report) string {
	n := 0
	for _, res := range r.Results {
		if res.NotPushed != "" {
			n++
		}
	}
	switch {
	case n == 0:
		return ""
	case len(r.Results) == 1:
		return ", not pushed to the fleet's cache"
	}
	return fmt.Sprintf(", %d not pushed to the fleet's cache", n)
}

// cached says how much came from the fleet's cache, if it was asked.
func cached(r *fleet.Report) string {
	var all fleet.CacheUse
	for _, res := range r.Results {
		c := res.Cache
		all.LackedBytes, all.FetchedBytes = all.LackedBytes+c.LackedBytes, all.FetchedBytes+c.FetchedBytes
	}
	if all.LackedBytes == 0 {
		return ""
	}
	return fmt.Sprintf(", %.0f %% of %s from the fleet's cache", 100*all.Rate(), Bytes(all.LackedBytes))
}

// outcomes counts the outcomes of a run, each in a word.
func outcomes(r *fleet.Report, word func(fleet.Outcome) string) string {
	n := len(r.Results)
	if n == 1 {
		return fmt.Sprintf("%s: %s, %s", r.Results[0].Host.Name, word(r.Results[0].Outcome), Seconds(r.Duration))
	}
	bad := 0
	for _, res := range r.Results {
		if !res.Outcome.OK() {
			bad++
		}
	}
	var parts []string
	seen := map[fleet.Outcome]bool{}
	for _, res := range r.Results {
		if !seen[res.Outcome] {
			seen[res.Outcome] = true
			parts = append(parts, fmt.Sprintf("%d %s", r.Count(res.Outcome), word(res.Outcome)))
		}
	}
	if bad == 0 {
		return fmt.Sprintf("%d hosts: %s, %s", n, strings.Join(parts, ", "), Seconds(r.Duration))
	}
	return fmt.Sprintf("%d of %d hosts not as wanted: %s, %s", bad, n, strings.Join(parts, ", "), Seconds(r.Duration))
}
