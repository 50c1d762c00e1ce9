package bench

import (
	"context"
	"slices"
	"time"

	"github.com/nixflotilla/flotilla/fleet"
)

// HostsResult is what came of benchmarking several hosts in the same rounds.
type HostsResult struct {
	// V is the version of this form: 1.
	V int `json:"v"`
	// Time is when it began.
	Time time.Time `json:"time"`
	// Environment is where it ran.
	Environment Environment `json:"environment"`
	// Hosts are the hosts, in the order given.
	Hosts []HostSeries `json:"hosts"`
}

// HostSeries are the samples of one host.
type HostSeries struct {
	// Host is the host's name, Toplevel the system that the flake wants for it.
	Host     string `json:"host"`
	Toplevel string `json:"toplevel"`
	// Series are the samples, by phase.
	Series []Series `json:"series"`
	// NotMeasured says of phases why they are missing; nil if none is.
	NotMeasured map[Phase]string `json:"not_measured,omitempty"`
	// First is what building the host took before anything was measured; the zero
	// value if it was built, or if that was not asked.
	First FirstBuild `json:"first_build,omitzero"`
	// Rebuilt are the host's own derivations, the slowest first, and LeftOut those
	// that cannot be built again; nil where nothing is rebuilt.
	Rebuilt []DerivationSeries `json:"rebuilt,omitempty"`
	LeftOut []string           `json:"left_out,omitempty"`
}

// FirstBuild is what a build took that had something to do.
type FirstBuild struct {
	// Seconds is its wall time.
	Seconds float64 `json:"seconds"`
	// Derivations counts those built, Paths those fetched, of Bytes in all.
	Derivations int   `json:"derivations"`
	Paths       int   `json:"paths"`
	Bytes       int64 `json:"bytes"`
}

// DerivationSeries are the samples of one derivation.
type DerivationSeries struct {
	// Derivation is its .drv path.
	Derivation string `json:"derivation"`
	// Seconds are wall times of its builder, while others of the host may have been
	// built as well.
	Seconds []float64 `json:"seconds"`
}

// Of returns the series of a phase; without samples if there is none.
func (h HostSeries) Of(p Phase) Series { return Record{Series: h.Series}.Of(p) }

// Evaluations measures how long each host's evaluation takes: EvaluateCold,
// EvaluateWarm and EvaluateKnown, one at a time, so that none disturbs another. No
// host is contacted. Errors are as those of Host.
func Evaluations(ctx context.Context, f *fleet.Fleet, hosts []fleet.Host, rounds int, progress func(round int)) (HostsResult, error) {
	r, err := newHosts(ctx, f, hosts)
	if err != nil {
		return r, err
	}
	// Which also learns what can be.
	for _, p := range []fleet.Probe{fleet.ProbeEvaluateKnown, fleet.ProbeEvaluateKnown} {
		report := f.Probe(ctx, hosts, p)
		if err := check(report); err != nil {
			return r, err
		}
		for i, res := range report.Results {
			r.Hosts[i].Toplevel, r.Hosts[i].NotMeasured = string(res.Wanted), nil
			if !res.Evaluation.Avoided {
				r.Hosts[i].NotMeasured = map[Phase]string{EvaluateKnown: notKnown(res.Evaluation)}
			}
		}
	}
	s := Scenario{Warmups: 1, Rounds: rounds, Progress: progress}
	var owner []int
	add := func(host int, phase Phase, do func(context.Context) (Sample, error)) {
		owner = append(owner, host)
		s.Tasks = append(s.Tasks, Task{phase, do})
	}
	for i := range hosts {
		one := hosts[i : i+1]
		add(i, EvaluateCold, evaluated(f, one, fleet.ProbeEvaluateCold))
		add(i, EvaluateWarm, evaluated(f, one, fleet.ProbeEvaluateWarm))
		if r.Hosts[i].NotMeasured == nil {
			add(i, EvaluateKnown, known(f, one))
		}
	}
	return r.run(ctx, s, owner)
}

// evaluated is what one evaluation of a host takes.
func evaluated(f *fleet.Fleet, host []fleet.Host, p fleet.Probe) func(context.Context) (Sample, error) {
	return func(ctx context.Context) (Sample, error) { return stepOf(f.Probe(ctx, host, p), fleet.StepEvaluate) }
}

// BuildTimes measures how long each host's own derivations (fleet.Own) take to be
// built once more, one host at a time. What is not built yet is built before, all
// hosts at once, and what that took is in HostSeries.First. No host is contacted
// but those that build. Errors are as those of Host.
func BuildTimes(ctx context.Context, f *fleet.Fleet, hosts []fleet.Host, rounds int, progress func(round int)) (HostsResult, error) {
	r, err := newHosts(ctx, f, hosts)
	if err != nil {
		return r, err
	}
	if progress != nil {
		progress(0)
	}
	tested := f.Test(ctx, hosts, fleet.TestOptions{})
	if err := check(tested); err != nil {
		return r, err
	}
	own, report := f.OwnDerivations(ctx, hosts)
	if err := check(report); err != nil {
		return r, err
	}
	s := Scenario{Warmups: 1, Rounds: rounds}
	var owner []int
	for i, res := range tested.Results {
		h := &r.Hosts[i]
		h.Toplevel, h.LeftOut = string(res.Wanted), own[i].LeftOut
		if took, ok := sampleOf(res, fleet.StepBuild); ok && res.Build != (fleet.BuildWork{}) {
			h.First = FirstBuild{took.Duration.Seconds(), res.Build.Derivations, res.Build.Paths, res.Build.Bytes}
		}
		owner = append(owner, i)
		s.Tasks = append(s.Tasks, Task{Rebuild, func(ctx context.Context) (Sample, error) {
			report := f.Rebuild(ctx, own[i:i+1])
			sample, err := stepOf(report, fleet.StepBuild)
			if err == nil {
				h.rebuilt(report.Results[0].Rebuilt)
			}
			return sample, err
		}})
	}
	s.Progress = func(round int) {
		if round == 1 { // the samples of the warm-up
			for i := range r.Hosts {
				r.Hosts[i].Rebuilt = nil
			}
		}
		if progress != nil {
			progress(round)
		}
	}
	if r, err = r.run(ctx, s, owner); err != nil {
		return r, err
	}
	for _, h := range r.Hosts {
		slices.SortStableFunc(h.Rebuilt, func(a, b DerivationSeries) int {
			switch x, y := Summarize(a.Seconds).Median, Summarize(b.Seconds).Median; {
			case x > y:
				return -1
			case x < y:
				return 1
			}
			return 0
		})
	}
	return r, nil
}

// rebuilt takes the times of a round.
func (h *HostSeries) rebuilt(times []fleet.DerivationTime) {
	for _, t := range times {
		path := string(t.Derivation)
		i := slices.IndexFunc(h.Rebuilt, func(d DerivationSeries) bool { return d.Derivation == path })
		if i < 0 {
			i = len(h.Rebuilt)
			h.Rebuilt = append(h.Rebuilt, DerivationSeries{Derivation: path})
		}
		h.Rebuilt[i].Seconds = append(h.Rebuilt[i].Seconds, t.Duration.Seconds())
	}
}

func newHosts(ctx context.Context, f *fleet.Fleet, hosts []fleet.Host) (HostsResult, error) {
	r := HostsResult{V: recordVersion, Time: time.Now().UTC().Truncate(time.Second), Hosts: make([]HostSeries, len(hosts))}
	for i, h := range hosts {
		r.Hosts[i].Host = h.Name
	}
	var err error
	r.Environment, err = Look(ctx, f)
	return r, err
}

// run takes the samples; owner says which host a task is of.
func (r HostsResult) run(ctx context.Context, s Scenario, owner []int) (HostsResult, error) {
	all, err := s.Run(ctx)
	if err != nil {
		return r, err
	}
	for i, series := range all {
		h := &r.Hosts[owner[i]]
		h.Series = append(h.Series, series)
	}
	for _, h := range r.Hosts {
		slices.SortStableFunc(h.Series, func(a, b Series) int { return place(a.Phase) - place(b.Phase) })
	}
	r.Environment.LoadAfter = load()
	return r, nil
}

// place is where a phase stands in a list.
func place(p Phase) int {
	return slices.Index([]Phase{Control, Survey, EvaluateCold, EvaluateWarm, EvaluateKnown, Rebuild, Copy, Run, Activate}, p)
}
