package bench

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/nixflotilla/flotilla/fleet"
)

// The phases of a host.
const (
	// Control is a fixed piece of work that has nothing to do with Nix or the fleet: it says
	// how fast the machine itself is at the time.
	Control Phase = "control"
	// Survey: the host is asked what it runs, over a connection that exists.
	Survey Phase = "survey"
	// EvaluateCold: its system is evaluated without Nix's evaluation cache. Nix
	// writes the derivations as part of it, so that this has no phase of its own;
	// they are in the store already.
	EvaluateCold Phase = "evaluate-cold"
	// EvaluateWarm: the same, answered by Nix's evaluation cache.
	EvaluateWarm Phase = "evaluate-warm"
	// EvaluateKnown: the same as a deployment finds it out, from what earlier runs
	// have learnt; no evaluator starts.
	EvaluateKnown Phase = "evaluate-known"
	// Rebuild: the host's own derivations (fleet.Own) are built once more.
	Rebuild Phase = "rebuild"
	// Copy: its system is copied to the host, which has it.
	Copy Phase = "copy-nothing"
	// Run: a deployment up to the decision, for which nothing is done.
	Run Phase = "run-nothing"
	// Activate: the system that the host runs is activated once more, and verified.
	Activate Phase = "activate"
)

// MostRounds is the largest number of rounds that a benchmark of a host takes.
const MostRounds = 1000

// HostOptions are options of Host.
type HostOptions struct {
	// Rounds is how many samples of each phase are taken, 1 to MostRounds.
	Rounds int
	// Activate also measures Activate, which changes the host; see
	// fleet.Fleet.Reactivate.
	Activate bool
	// Abandon is as in fleet.DeployOptions, for Activate.
	Abandon <-chan struct{}
	// Progress is called with what is being done; nil means nobody looks.
	Progress func(text string, round int)
}

// Host benchmarks one host. It builds the host's system if it is not built yet,
// which is not measured, and does a round to warm up. The host is not changed:
// nothing is copied that it does not run, and nothing activated, but for the system
// that it runs if that is asked for.
//
// A run that fails ends the benchmark with a *RunError. Other errors are those of
// Look, and the cause of a cancelled ctx.
func Host(ctx context.Context, f *fleet.Fleet, host fleet.Host, opt HostOptions) (Record, error) {
	if opt.Rounds < 1 || opt.Rounds > MostRounds {
		return Record{}, errors.New("the number of rounds is out of its range")
	}
	progress := func(text string, round int) {
		if opt.Progress != nil {
			opt.Progress(text, round)
		}
	}
	r := Record{V: recordVersion, Time: time.Now().UTC().Truncate(time.Second), Host: host.Name}
	var err error
	if r.Environment, err = Look(ctx, f); err != nil {
		return Record{}, err
	}
	progress("building its system, and what of it can be built again", 0)
	hosts := []fleet.Host{host}
	tested := f.Test(ctx, hosts, fleet.TestOptions{})
	if err := check(tested); err != nil {
		return Record{}, err
	}
	r.Toplevel = string(tested.Results[0].Wanted)
	own, report := f.OwnDerivations(ctx, hosts)
	if err := check(report); err != nil {
		return Record{}, err
	}
	for _, d := range own[0].Derivations {
		r.Rebuilt = append(r.Rebuilt, d.Name())
	}
	r.LeftOut = own[0].LeftOut

	s := Scenario{Tasks: []Task{{Control, control}}, Warmups: 1, Rounds: opt.Rounds, Progress: func(round int) { progress("measuring", round) }}
	probe := func(phase Phase, p fleet.Probe, step fleet.Step) {
		s.Tasks = append(s.Tasks, Task{phase, func(ctx context.Context) (Sample, error) {
			return stepOf(f.Probe(ctx, hosts, p), step)
		}})
	}
	probe(Survey, fleet.ProbeSurvey, fleet.StepSurvey)
	probe(EvaluateCold, fleet.ProbeEvaluateCold, fleet.StepEvaluate)
	probe(EvaluateWarm, fleet.ProbeEvaluateWarm, fleet.StepEvaluate)
	s.Tasks = append(s.Tasks, Task{Rebuild, func(ctx context.Context) (Sample, error) {
		return stepOf(f.Rebuild(ctx, own), fleet.StepBuild)
	}})
	now := f.Probe(ctx, hosts, fleet.ProbeRun)
	if err := check(now); err != nil {
		return Record{}, err
	}
	missing := map[Phase]string{}
	if v := now.Results[0].Evaluation; v.Avoided {
		s.Tasks = slices.Insert(s.Tasks, 4, Task{EvaluateKnown, known(f, hosts)})
	} else {
		missing[EvaluateKnown] = notKnown(v)
	}
	if live := now.Results[0].Live; live == now.Results[0].Wanted {
		probe(Copy, fleet.ProbeCopy, fleet.StepCopy)
	} else {
		missing[Copy] = "it would change the host: " + now.Results[0].Reason
	}
	if len(missing) > 0 {
		r.NotMeasured = missing
	}
	s.Tasks = append(s.Tasks, Task{Run, func(ctx context.Context) (Sample, error) {
		report := f.Probe(ctx, hosts, fleet.ProbeRun)
		if err := check(report); err != nil {
			return Sample{}, err
		}
		return Sample{Duration: report.Results[0].Duration}, nil
	}})
	if opt.Activate {
		s.Tasks = append(s.Tasks, Task{Activate, func(ctx context.Context) (Sample, error) {
			return activated(f.Reactivate(ctx, hosts, opt.Abandon))
		}})
	}
	if r.Series, err = s.Run(ctx); err != nil {
		return Record{}, err
	}
	r.Environment.LoadAfter = load()
	return r, nil
}

// known finds out what the flake wants without an evaluator; to look at the tree is
// part of it.
func known(f *fleet.Fleet, hosts []fleet.Host) func(context.Context) (Sample, error) {
	return func(ctx context.Context) (Sample, error) {
		report := f.Probe(ctx, hosts, fleet.ProbeEvaluateKnown)
		if err := check(report); err != nil {
			return Sample{}, err
		}
		if v := report.Results[0].Evaluation; !v.Avoided {
			return Sample{}, errors.New("the flake changed during the benchmark: " + notKnown(v))
		}
		return Sample{Duration: report.Results[0].Duration}, nil
	}
}

func notKnown(v fleet.Verdict) string {
	if v.Reason == "" {
		return "Nix evaluates in every run"
	}
	return v.Reason
}

// activated is the sample of an activation, from its start until the host was seen
// to run and boot it.
func activated(r *fleet.Report) (Sample, error) {
	if err := check(r); err != nil {
		return Sample{}, err
	}
	activation, _ := sampleOf(r.Results[0], fleet.StepActivate)
	commit, ok := sampleOf(r.Results[0], fleet.StepCommit)
	if !ok {
		return Sample{}, errors.New("the step " + string(fleet.StepCommit) + " was not taken")
	}
	return Sample{Duration: activation.Duration + commit.Duration}, nil
}

// stepOf is the sample of a step of a run of one host.
func stepOf(r *fleet.Report, s fleet.Step) (Sample, error) {
	if err := check(r); err != nil {
		return Sample{}, err
	}
	one, ok := sampleOf(r.Results[0], s)
	if !ok {
		return Sample{}, errors.New("the step " + string(s) + " was not taken")
	}
	return one, nil
}
