package fleet

import (
	"context"
	"fmt"
	"strings"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// Plan is the decision for one host: a pure value, worked out from what the
// host runs and what the flake wants.
type Plan struct {
	// Deploy reports whether anything will be done to the host.
	Deploy bool
	// Reason is one sentence saying why, or why not.
	Reason string
}

// Decide compares what a host runs and boots with the wanted toplevel. The
// host is unchanged only if both are the wanted one. With force, an unchanged
// host is deployed all the same.
func Decide(s Survey, wanted nixcmd.StorePath, force bool) Plan { return decide(s, wanted, "", force) }

// decide is Decide for a specialisation of the wanted toplevel, or "" for itself.
func decide(s Survey, wanted nixcmd.StorePath, specialisation string, force bool) Plan {
	runs, name := s.runs(wanted, specialisation), specialised(wanted, specialisation)
	switch {
	case runs && s.Profile == wanted && s.Uncommitted:
		return Plan{true, fmt.Sprintf("it runs %s, but %s", name, s.unfinished())}
	case runs && s.Profile == wanted && force:
		return Plan{true, "it already runs this system; activating it again was asked for"}
	case runs && s.Profile == wanted && specialisation != "":
		return Plan{false, fmt.Sprintf("it already runs %s, which it boots", name)}
	case runs && s.Profile == wanted:
		return Plan{false, "it already runs and boots " + name}
	case runs && s.Profile == "":
		return Plan{true, fmt.Sprintf("it runs %s, but has no system profile to boot", name)}
	case runs && s.Uncommitted:
		return Plan{true, fmt.Sprintf("it runs %s, but %s", name, s.bootsUnknown())}
	case runs:
		return Plan{true, fmt.Sprintf("it runs %s, but boots %s", name, short(s.Profile))}
	case s.Current == "":
		return Plan{true, "it runs no NixOS system yet; wanted is " + name}
	}
	return Plan{true, fmt.Sprintf("it runs %s, wanted is %s", s.live(), name)}
}

// Plan works out what Deploy with the same options would do to each host, and
// does none of it: each changed host's system is built and copied to it, where
// it is asked what activating it would do. What the host runs, its profile and
// what it boots stay as they are; what was copied is left to its garbage
// collector.
//
// The outcomes are Unchanged and Compared, with a Difference. A host that
// cannot be deployed to fails as it would then, with as much of a Difference as
// could be found out, perhaps none. All hosts are worked on at once, whatever
// DeployOptions.Order says: no plan depends on another. When ctx is done nothing
// new is started, but a dry activation that has begun is waited for; see
// DeployOptions.Abandon.
func (f *Fleet) Plan(ctx context.Context, hosts []Host, opt DeployOptions) *Report {
	r := f.run(ctx, hosts, func(ctx context.Context, j *job) (Outcome, error) { return j.plan(ctx, opt) })
	r.Planned = true
	return r
}

func (j *job) plan(ctx context.Context, opt DeployOptions) (Outcome, error) {
	s, plan, err := j.decide(ctx, opt)
	if err != nil {
		return "", err
	}
	j.emit(Event{Kind: KindDecided, Text: plan.Reason})
	if !plan.Deploy {
		return j.planNothing(s), nil
	}
	// What keeps it from being deployed to need not keep it from being compared.
	unfit := j.unfit(ctx, s)
	if unfit != nil && s.survey.Nix == "" {
		return "", j.stepError(StepSurvey, unfit)
	}
	if err := j.provide(ctx, s, opt); err != nil {
		return "", err
	}
	d, err := j.compare(ctx, &s)
	if err != nil {
		return "", err
	}
	j.tellHeld(s, d)
	if unfit != nil {
		d.UnitsUnknown = unfit.Error()
		return "", j.stepError(StepSurvey, unfit)
	}
	if err := j.specialise(ctx, &s); err != nil {
		return "", err
	}
	outcome, err := j.planCopy(ctx, s, d, opt.Abandon)
	if err != nil {
		return outcome, err
	}
	if opt.Boot {
		d.Inhibitors = nil
	}
	if opt.NoCheck && d.Inhibitors != nil {
		j.warn(StepCompare, inhibitorsDiffer(d.Inhibitors)+"; it would be switched to all the same")
		d.Inhibitors = nil
	}
	if (opt.Boot || d.Inhibitors != nil) && !d.NoRoom() {
		d.Units, d.UnitsUnknown = UnitChanges{}, "" // none before the boot
	}
	return outcome, nil
}

// tellHeld tells of a deployment that has the host.
func (j *job) tellHeld(s surveyed, d *Difference) {
	if d.Held = s.survey.Deployment.Holds(j.host.Name); d.Held != "" {
		j.warn(StepSurvey, "the host is locked: "+d.Held)
	}
}

// planNothing is the plan for a host that is unchanged.
func (j *job) planNothing(s surveyed) Outcome {
	j.set(func(r *Result) {
		r.Difference, r.RebootFor = &Difference{FreeBytes: s.survey.FreeBytes}, s.survey.RebootPending
	})
	return Unchanged
}

// planCopy adds to a comparison what only the host can tell, which needs the
// system to be there.
func (j *job) planCopy(ctx context.Context, s surveyed, d *Difference, abandon <-chan struct{}) (Outcome, error) {
	if d.NoRoom() {
		d.UnitsUnknown = "the system cannot be copied to the host"
		j.warn(StepCopy, fmt.Sprintf("the host's store has no room for what has to be copied: %s free, %s wanted", mebibytes(d.FreeBytes), mebibytes(d.Copy.Bytes)))
		return Compared, nil
	}
	if err := j.copy(ctx, s); err != nil {
		return "", err
	}
	if err := j.dryActivate(ctx, s, d, abandon); err != nil {
		return "", err
	}
	j.set(func(r *Result) { r.RebootFor = d.RebootFor })
	return Compared, nil
}

// compare finds out what the host's store lacks, and what its live system
// consists of.
func (j *job) compare(ctx context.Context, s *surveyed) (d *Difference, err error) {
	err = j.step(ctx, StepCompare, j.fleet.stages.sessions, func(ctx context.Context) (string, error) {
		wanted, err := j.query(ctx, *s, j.builtClosure)
		if err != nil {
			return "", err
		}
		if s.stores, err = askStore(ctx, s.conn, wanted, s.survey.liveToplevel()); err != nil {
			return "", err
		}
		d = difference(s.stores, s.survey.FreeBytes)
		j.set(func(r *Result) { r.Difference = d })
		return fmt.Sprintf("%d of %d paths to copy", d.Copy.Paths, d.Packages.NewPaths), nil
	})
	return d, err
}

// dryActivate asks the wanted system itself, on the host, what activating it
// would do.
func (j *job) dryActivate(ctx context.Context, s surveyed, d *Difference, abandon <-chan struct{}) error {
	return j.step(ctx, StepCompare, j.fleet.stages.activations, func(ctx context.Context) (string, error) {
		// It is short, and leaves nothing behind on the host once it has ended.
		run := ctx
		ctx, release := untilAbandoned(ctx, abandon)
		defer release()

		var units UnitChanges
		u := j.newUnit(run, StepCompare, s)
		u.each = units.read
		end, err := u.start(ctx, "dry-activate")
		if err != nil {
			return "", err
		}
		u.clean(ctx)
		d.dryActivated(end, units)
		return "", nil
	})
}

// short is a system's path as people tell them apart: a few characters of the
// hash, then the host and the version of its name.
func short(p nixcmd.StorePath) string {
	if p == "" {
		return "nothing"
	}
	return p.Hash()[:7] + "-" + strings.TrimPrefix(p.Name(), "nixos-system-")
}
