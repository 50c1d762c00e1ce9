package bench

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/nixflotilla/flotilla/fleet"
)

// Side is one of two states of a configuration that are compared.
type Side struct {
	// Name is what a person calls it, such as "main".
	Name string `json:"name"`
	// Revision is its commit, empty for a tree that is none.
	Revision string `json:"revision,omitempty"`
	// Fleet is opened on it.
	Fleet *fleet.Fleet `json:"-"`
	// Hosts are the hosts to measure, as this state has them.
	Hosts []fleet.Host `json:"-"`
}

// CompareResult is what came of Revisions.
type CompareResult struct {
	// V is the version of this form: 1.
	V int `json:"v"`
	// Time is when it began.
	Time time.Time `json:"time"`
	// Environment is where it ran; its Revision is the work tree's.
	Environment Environment `json:"environment"`
	// Before and After are the two states.
	Before Side `json:"before"`
	After  Side `json:"after"`
	// Hosts are the hosts, in the order given.
	Hosts []HostComparison `json:"hosts"`
}

// HostComparison are the samples of one host in both states. Samples of the same
// index are of the same round.
type HostComparison struct {
	// Host is the host's name.
	Host string `json:"host"`
	// Before and After are its samples; their series are of the same phases.
	Before HostSeries `json:"before"`
	After  HostSeries `json:"after"`
}

// Same reports whether both states want the same system, so that only evaluations
// can differ.
func (h HostComparison) Same() bool { return h.Before.Toplevel == h.After.Toplevel }

// Rows compares the phases; Row.Last is the comparison, and Row.Summary of the
// later state. All were measured in the same rounds, so that no drift of the machine
// is between them.
func (h HostComparison) Rows() []Row {
	rows := make([]Row, len(h.After.Series))
	for i, s := range h.After.Series {
		c := Compare(h.Before.Of(s.Phase).Seconds, s.Seconds, len(rows), LeastInterleaved)
		rows[i] = Row{Phase: s.Phase, Summary: Summarize(s.Seconds), CPU: Summarize(s.CPU).Median, Last: &c}
		if len(s.MaxRSS) > 0 {
			rows[i].MaxRSS = slices.Max(s.MaxRSS)
		}
	}
	return rows
}

// Revisions benchmarks two states of a configuration in the same rounds:
// EvaluateCold, EvaluateWarm and Rebuild of each host in each of them. Both sides
// must have the same hosts, by name. What is not built yet is built before. No host
// is contacted but those that build. Errors are as those of Host.
func Revisions(ctx context.Context, before, after Side, rounds int, progress func(round int)) (CompareResult, error) {
	r := CompareResult{V: recordVersion, Time: time.Now().UTC().Truncate(time.Second), Before: before, After: after}
	if !slices.EqualFunc(before.Hosts, after.Hosts, func(a, b fleet.Host) bool { return a.Name == b.Name }) {
		return r, errors.New("the two states do not have the same hosts")
	}
	var err error
	if r.Environment, err = Look(ctx, after.Fleet); err != nil {
		return r, err
	}
	if progress != nil {
		progress(0)
	}
	r.Hosts = make([]HostComparison, len(after.Hosts))
	s := Scenario{Warmups: 1, Rounds: rounds, Progress: progress}
	var owner []*HostSeries
	for i := range r.Hosts {
		r.Hosts[i].Host = after.Hosts[i].Name
	}
	tasks := make([][]Task, len(r.Hosts))
	owners := make([][]*HostSeries, len(r.Hosts))
	for _, side := range []Side{before, after} {
		tested := side.Fleet.Test(ctx, side.Hosts, fleet.TestOptions{})
		if err := check(tested); err != nil {
			return r, err
		}
		own, report := side.Fleet.OwnDerivations(ctx, side.Hosts)
		if err := check(report); err != nil {
			return r, err
		}
		for i, res := range tested.Results {
			h := &r.Hosts[i].After
			if side.Fleet == before.Fleet {
				h = &r.Hosts[i].Before
			}
			h.Host, h.Toplevel, h.LeftOut = res.Host.Name, string(res.Wanted), own[i].LeftOut
			one := side.Hosts[i : i+1]
			tasks[i] = append(tasks[i],
				Task{EvaluateCold, evaluated(side.Fleet, one, fleet.ProbeEvaluateCold)},
				Task{EvaluateWarm, evaluated(side.Fleet, one, fleet.ProbeEvaluateWarm)},
				Task{Rebuild, func(ctx context.Context) (Sample, error) {
					return stepOf(side.Fleet.Rebuild(ctx, own[i:i+1]), fleet.StepBuild)
				}})
			owners[i] = append(owners[i], h, h, h)
		}
	}
	for i := range tasks {
		// The two of a phase next to each other.
		for _, k := range []int{0, 3, 1, 4, 2, 5} {
			s.Tasks, owner = append(s.Tasks, tasks[i][k]), append(owner, owners[i][k])
		}
	}
	all, err := s.Run(ctx)
	if err != nil {
		return r, err
	}
	for i, series := range all {
		owner[i].Series = append(owner[i].Series, series)
	}
	r.Environment.LoadAfter = load()
	return r, nil
}
