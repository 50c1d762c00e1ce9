package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// Probe is a part of the pipeline that can be run alone, and again and again. No
// probe changes a host, deletes anything, or leaves more in a store than a test
// of the host does.
type Probe string

// The probes, with the outcome of a host that ends well.
const (
	// ProbeSurvey asks the host what it runs, in one session: Reached.
	ProbeSurvey Probe = "survey"
	// ProbeEvaluateCold evaluates the host without Nix's evaluation cache, and
	// ProbeEvaluateWarm with it: Evaluated.
	ProbeEvaluateCold Probe = "evaluate-cold"
	ProbeEvaluateWarm Probe = "evaluate-warm"
	// ProbeEvaluateKnown finds out what the flake wants as a deployment does, from
	// what earlier runs have learnt: Evaluated. If Nix had to evaluate all the same,
	// Result.Evaluation says so.
	ProbeEvaluateKnown Probe = "evaluate-known"
	// ProbeCopy copies a system to the host that runs it, so that there is
	// nothing to do: Unchanged. A host that runs another one fails untouched.
	ProbeCopy Probe = "copy-nothing"
	// ProbeRun is Deploy up to the decision, for which nothing is done: Unchanged,
	// or Evaluated for a host that would be deployed.
	ProbeRun Probe = "run-nothing"
)

// Probe runs a part of the pipeline on each host.
func (f *Fleet) Probe(ctx context.Context, hosts []Host, p Probe) *Report {
	return f.run(ctx, hosts, func(ctx context.Context, j *job) (Outcome, error) { return j.probe(ctx, p) })
}

func (j *job) probe(ctx context.Context, p Probe) (Outcome, error) {
	switch p {
	case ProbeSurvey:
		_, _, err := j.connectAndSurvey(ctx)
		return Reached, err
	case ProbeEvaluateCold, ProbeEvaluateWarm:
		ev, err := j.evaluateWith(ctx, nixcmd.EvaluateOptions{Fresh: p == ProbeEvaluateCold})
		if err == nil {
			j.set(func(r *Result) { r.Reason = short(ev.Toplevel) })
		}
		return Evaluated, err
	case ProbeEvaluateKnown:
		_, err := j.evaluate(ctx, false)
		return Evaluated, err
	case ProbeCopy, ProbeRun:
		return j.probeRun(ctx, p)
	}
	return "", j.stepError(StepSurvey, fmt.Errorf("there is no probe %q", p))
}

func (j *job) probeRun(ctx context.Context, p Probe) (Outcome, error) {
	s, err := j.surveyAndEvaluate(ctx)
	if err != nil {
		return "", err
	}
	plan := decide(s.survey, s.eval.Toplevel, j.host.Specialisation, false)
	j.set(func(r *Result) { r.Reason = plan.Reason })
	switch {
	case p == ProbeRun && plan.Deploy:
		return Evaluated, nil
	case p == ProbeRun:
		return Unchanged, nil
	case s.survey.liveToplevel() != s.eval.Toplevel:
		return "", j.stepError(StepCopy, &hintedError{errors.New("there would be something to copy: " + plan.Reason), "deploy it first"})
	}
	if err := s.survey.unfit(); err != nil {
		return "", j.stepError(StepSurvey, err)
	}
	return Unchanged, j.copy(ctx, s)
}

// Own are a host's own derivations: those that a change of its configuration has
// built, and that can be built again at any time.
type Own struct {
	// Host is the host.
	Host Host
	// Derivations are the toplevel's derivation and those of its direct inputs
	// that nixpkgs marks as cheaper to build than to fetch, but for downloads;
	// sorted, never empty.
	Derivations []nixcmd.StorePath
	// LeftOut names those that are not here, or whose rebuild failed, as that of
	// a derivation does which is not deterministic; nil if there are none.
	LeftOut []string
}

// OwnDerivations finds the own derivations of hosts that are built, by a Test for
// one, and builds them once more to see which can be. The Report has an error for
// each host without an Own.
func (f *Fleet) OwnDerivations(ctx context.Context, hosts []Host) ([]Own, *Report) {
	found := make([]Own, len(hosts))
	report := f.run(ctx, hosts, func(ctx context.Context, j *job) (Outcome, error) {
		ev, err := j.evaluate(ctx, false)
		if err != nil {
			return "", err
		}
		if err := j.whole(ctx, ev); err != nil {
			return "", err
		}
		own := Own{Host: j.host}
		err = j.step(ctx, StepBuild, j.fleet.stages.builds, func(ctx context.Context) (string, error) {
			err := j.findOwn(ctx, ev, &own)
			return counted(len(own.Derivations), "derivation"), err
		})
		if err != nil {
			return "", err
		}
		found[slices.IndexFunc(hosts, func(h Host) bool { return h.Name == j.host.Name })] = own
		return Built, nil
	})
	return slices.DeleteFunc(found, func(o Own) bool { return len(o.Derivations) == 0 }), report
}

func (j *job) findOwn(ctx context.Context, ev nixcmd.Evaluation, own *Own) error {
	nix := j.fleet.nix
	top, err := nix.Derivations(ctx, []nixcmd.StorePath{ev.Derivation})
	if err != nil {
		return err
	}
	if len(top) != 1 {
		return fmt.Errorf("Nix describes %d derivations in place of one", len(top))
	}
	inputs, err := nix.Derivations(ctx, top[0].Inputs)
	if err != nil {
		return err
	}
	candidates := append(top, slices.DeleteFunc(inputs, func(d nixcmd.Derivation) bool { return !d.Local || d.FixedOutput })...)
	var outputs []nixcmd.StorePath
	for _, d := range candidates {
		outputs = append(outputs, d.Outputs...)
	}
	missing, err := nix.Missing(ctx, outputs)
	if err != nil {
		return err
	}
	for _, d := range candidates {
		if len(d.Outputs) == 0 || slices.ContainsFunc(d.Outputs, func(o nixcmd.StorePath) bool { return slices.Contains(missing, o) }) {
			own.LeftOut = append(own.LeftOut, d.Path.Name())
			continue
		}
		own.Derivations = append(own.Derivations, d.Path)
	}
	if len(own.Derivations) == 0 {
		return &hintedError{errors.New("its system is not in the store here, so that it cannot be built again"), "build it first: testHost " + j.host.Name}
	}
	slices.Sort(own.Derivations)

	var failed *nixcmd.BuildError
	_, err = nix.Build(ctx, own.Derivations, nixcmd.BuildOptions{Rebuild: true})
	if !errors.As(err, &failed) {
		return err
	}
	// Which one it was can only be told one by one.
	var good []nixcmd.StorePath
	for _, d := range own.Derivations {
		_, one := nix.Build(ctx, []nixcmd.StorePath{d}, nixcmd.BuildOptions{Rebuild: true})
		switch {
		case one == nil:
			good = append(good, d)
		case errors.As(one, &failed):
			own.LeftOut = append(own.LeftOut, d.Name())
		default:
			return one
		}
	}
	if own.Derivations = good; len(good) == 0 {
		return err // none can be
	}
	return nil
}

// DerivationTime is how long one derivation took to build, in wall time.
type DerivationTime struct {
	// Derivation is the .drv path.
	Derivation nixcmd.StorePath
	// Duration is from the start of its builder to its end.
	Duration time.Duration
}

// Rebuild builds hosts' own derivations once more, at once as far as the Limits
// allow: Built, with Result.Rebuilt. What is in the store stays there, untouched.
func (f *Fleet) Rebuild(ctx context.Context, all []Own) *Report {
	hosts := make([]Host, len(all))
	for i, own := range all {
		hosts[i] = own.Host
	}
	return f.run(ctx, hosts, func(ctx context.Context, j *job) (Outcome, error) {
		own := all[slices.IndexFunc(all, func(o Own) bool { return o.Host.Name == j.host.Name })]
		err := j.step(ctx, StepBuild, j.fleet.stages.builds, func(ctx context.Context) (string, error) {
			began := map[nixcmd.StorePath]time.Time{}
			var times []DerivationTime
			_, err := j.fleet.nix.Build(ctx, own.Derivations, nixcmd.BuildOptions{
				Rebuild: true, Usage: func(u Usage) { j.used(StepBuild, u) },
				Progress: func(e nixcmd.BuildEvent) {
					switch e.Kind {
					case nixcmd.BuildStarted:
						began[e.Derivation] = time.Now()
					case nixcmd.BuildStopped:
						times = append(times, DerivationTime{e.Derivation, time.Since(began[e.Derivation])})
					case nixcmd.BuildLog:
						j.log(StepBuild, e.Text)
					}
				},
			})
			j.set(func(r *Result) { r.Rebuilt = times })
			return counted(len(own.Derivations), "derivation") + " again", err
		})
		return Built, err
	})
}
