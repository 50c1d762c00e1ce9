package bench

import (
	"context"
	"time"

	"github.com/nixflotilla/flotilla/fleet"
)

// The phases of ParallelResult.
const (
	// InTurn: all hosts are tested, one after the other.
	InTurn Phase = "in-turn"
	// AtOnce: all hosts are tested at the same time, as far as the limits allow.
	AtOnce Phase = "at-once"
)

// ParallelResult is what came of Parallel.
type ParallelResult struct {
	// V is the version of this form: 1.
	V int `json:"v"`
	// Time is when it began.
	Time time.Time `json:"time"`
	// Hosts are the names of the hosts.
	Hosts []string `json:"hosts"`
	// Environment is where it ran.
	Environment Environment `json:"environment"`
	// Evaluations and Builds are the limits in force.
	Evaluations int `json:"limit_evaluations"`
	Builds      int `json:"limit_builds"`
	// Series are those of InTurn and AtOnce, whose values of the same index are of
	// the same round.
	Series []Series `json:"series"`
	// Speedups are how many times faster AtOnce was, by round.
	Speedups []float64 `json:"speedups"`
}

// AtMost is the largest speed-up that there could be: by cores, by hosts, by the
// limit of evaluations.
func (r ParallelResult) AtMost() int {
	return min(r.Environment.Cores, len(r.Hosts), r.Evaluations)
}

// Parallel measures what testing hosts at once gains over testing them in turn:
// each is evaluated without Nix's evaluation cache, and its build is checked to be
// there. What is not built yet is built before, which is not measured. Errors are
// as those of Host.
func Parallel(ctx context.Context, f *fleet.Fleet, hosts []fleet.Host, rounds int, progress func(round int)) (ParallelResult, error) {
	r := ParallelResult{V: recordVersion, Time: time.Now().UTC().Truncate(time.Second)}
	var err error
	if r.Environment, err = Look(ctx, f); err != nil {
		return r, err
	}
	limits := f.LimitsInForce()
	r.Evaluations, r.Builds = limits.Evaluations, limits.Builds
	for _, h := range hosts {
		r.Hosts = append(r.Hosts, h.Name)
	}
	test := func(phase Phase, order fleet.Order) Task {
		return Task{phase, func(ctx context.Context) (Sample, error) {
			report := f.Test(ctx, hosts, fleet.TestOptions{Order: order, Fresh: true})
			return Sample{Duration: report.Duration}, check(report)
		}}
	}
	s := Scenario{Warmups: 1, Rounds: rounds, Progress: progress,
		Tasks: []Task{test(InTurn, fleet.InTurn), test(AtOnce, fleet.AtOnce)}}
	if r.Series, err = s.Run(ctx); err != nil {
		return r, err
	}
	for i, turn := range r.Series[0].Seconds {
		r.Speedups = append(r.Speedups, turn/r.Series[1].Seconds[i])
	}
	r.Environment.LoadAfter = load()
	return r, nil
}
