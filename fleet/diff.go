package fleet

import (
	"context"
	"strings"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

// PackageDiff is the comparison of two closures, package by package.
type PackageDiff = nixcmd.ClosureDiff

// PackageChange is what a PackageDiff says of one package.
type PackageChange = nixcmd.PackageChange

// Difference is what deploying would change on a host, against what it runs.
type Difference struct {
	// Packages compares the closures of the live and the wanted system.
	Packages PackageDiff
	// Units is what the wanted system's own dry activation says it would do.
	Units UnitChanges
	// UnitsUnknown says why Units is not known; empty if it is.
	UnitsUnknown string
	// RebootFor names what would take effect only after a reboot.
	RebootFor []string
}

// Diff builds each host's system, copies it to the host without activating it,
// and compares it with what the host runs: packages by their closures, units by
// a dry activation. Nothing that the host runs or boots is changed.
func (f *Fleet) Diff(ctx context.Context, hosts []Host) *Report {
	return f.run(ctx, hosts, func(ctx context.Context, j *job) (Outcome, error) { return j.diff(ctx) })
}

func (j *job) diff(ctx context.Context) (Outcome, error) {
	s, err := j.surveyAndEvaluate(ctx)
	if err != nil {
		return "", err
	}
	plan := Decide(s.survey, s.eval.Toplevel, false)
	j.set(func(r *Result) { r.Reason = plan.Reason })
	if !plan.Deploy {
		j.set(func(r *Result) { r.Difference = &Difference{} })
		return Unchanged, nil
	}
	if err := s.survey.unfit(); err != nil {
		return "", j.stepError(StepSurvey, err)
	}
	if err := j.build(ctx, s.eval); err != nil {
		return "", err
	}
	d := &Difference{}
	err = j.step(ctx, StepCompare, j.fleet.stages.evaluations, func(ctx context.Context) (string, error) {
		wanted, err := j.builtClosure(ctx, s.eval.Toplevel)
		if err != nil {
			return "", err
		}
		var live []nixcmd.PathInfo
		if s.survey.Current != "" {
			argv := append([]string{"nix"}, nixcmd.ClosureArgs(s.survey.Current)...)
			res, err := s.conn.Run(ctx, sshpool.Cmd{Argv: argv})
			if err != nil {
				return "", err
			}
			if live, err = nixcmd.ParsePathInfo(res.Stdout); err != nil {
				return "", err
			}
		}
		d.Packages = nixcmd.Diff(live, wanted)
		return "", nil
	})
	if err != nil {
		return "", err
	}
	if err := j.compareUnits(ctx, s, d); err != nil {
		return "", err
	}
	j.set(func(r *Result) { r.Difference, r.RebootFor = d, d.RebootFor })
	return Compared, nil
}

// compareUnits asks the wanted system itself, on the host, what activating it
// would do.
func (j *job) compareUnits(ctx context.Context, s surveyed, d *Difference) error {
	if err := j.copy(ctx, s); err != nil {
		return err
	}
	return j.step(ctx, StepCompare, j.fleet.stages.activations, func(ctx context.Context) (string, error) {
		u := j.newUnit(ctx, StepCompare, s)
		u.each = d.Units.read
		end, err := u.start(ctx, s.eval.Toplevel, "dry-activate")
		if err != nil {
			return "", err
		}
		u.clean(ctx)
		d.RebootFor = rebootParts(end.answer, "booted/", "next/")
		switch _, err := judge(end, u.boots()); {
		case err != nil:
			d.UnitsUnknown = err.Error()
		case end.status != 0:
			d.UnitsUnknown = "this system replaces the init interface and can only be booted into"
		}
		return "", nil
	})
}

// UnitChanges are the systemd units that an activation would act on, as the
// system's own dry activation names them. Each list may be nil.
type UnitChanges struct {
	// Stop, Restart, Reload and Start are units to which that would be done.
	Stop, Restart, Reload, Start []string
	// Keep are changed units that would be left running as they are.
	Keep []string
}

// Empty reports whether no unit would be touched.
func (u UnitChanges) Empty() bool {
	return len(u.Stop)+len(u.Restart)+len(u.Reload)+len(u.Start) == 0
}

// read takes in one line of what `switch-to-configuration dry-activate` prints
// (nixpkgs, switch-to-configuration-ng, src/main.rs). Other lines are passed
// over.
func (u *UnitChanges) read(line string) {
	what, list, ok := strings.Cut(line, " units: ")
	if !ok {
		return
	}
	var to *[]string
	switch what {
	case "would stop the following":
		to = &u.Stop
	case "would NOT stop the following changed":
		to = &u.Keep
	case "would restart the following":
		to = &u.Restart
	case "would reload the following":
		to = &u.Reload
	case "would start the following":
		to = &u.Start
	default:
		return
	}
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name != "" {
			*to = append(*to, name)
		}
	}
}
