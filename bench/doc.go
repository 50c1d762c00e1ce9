// Package bench measures fleets: it repeats and interleaves tasks, takes samples
// from the executor's own results, describes them with statistics that assume
// nothing of their distribution, and keeps them to compare later ones with.
//
// A figure is a median with a confidence interval, and two samples compare as
// faster, slower or no different; the statistics, and their warnings when there
// are too few samples, are those of golang.org/x/perf/benchmath.
package bench

import (
	"time"

	"github.com/nixflotilla/flotilla/fleet"
)

// Phase names what is timed on its own, such as "survey" or "evaluate-cold".
type Phase string

// Sample is one measurement of one phase.
type Sample struct {
	// Duration is wall time. Waiting for a limit of the fleet is not in it.
	Duration time.Duration
	// CPU is the processor time of the children that the phase ran, in user and
	// system mode; 0 if it ran none whose cost is known.
	CPU time.Duration
	// MaxRSS is the largest resident set of a single child, in bytes; 0 if the
	// phase ran none whose cost is known.
	MaxRSS int64
}

// sampleOf is the sample of a step, and whether the host took it.
func sampleOf(r fleet.Result, s fleet.Step) (Sample, bool) {
	for i := len(r.Steps) - 1; i >= 0; i-- {
		if st := r.Steps[i]; st.Step == s {
			return Sample{st.Duration, st.Usage.UserTime + st.Usage.SystemTime, st.Usage.MaxRSS}, true
		}
	}
	return Sample{}, false
}

// RunError says that a benchmark ended early because a run that it measures did
// not end well.
type RunError struct {
	// Report is what came of that run.
	Report *fleet.Report
}

// Error names what failed.
func (e *RunError) Error() string {
	if err := e.Report.Err(); err != nil {
		return "the benchmark ended: " + err.Error()
	}
	return "the benchmark ended because a host did not end well"
}

// Unwrap returns the hosts' errors.
func (e *RunError) Unwrap() error { return e.Report.Err() }

// check makes an error of a run that did not end well.
func check(r *fleet.Report) error {
	if r.ExitCode() != fleet.ExitOK {
		return &RunError{r}
	}
	return nil
}
