package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// AffectedOptions are options of Fleet.Affected.
type AffectedOptions struct {
	// Since is the state to compare with, as Nix finds the flake, such as
	// nixcmd.Commit.FlakeRef. "" is no state at all: every host is new then.
	Since string
	// Build builds the system of each host that is affected, as Test does.
	Build bool
}

// Affected is what came of Fleet.Affected.
type Affected struct {
	// Hosts has the Change of each host.
	Hosts *Report
	// Removed are the names of the nixosConfigurations that there were and are no
	// more, sorted.
	Removed []string
}

// Change says whether a host is affected by what changed between two states of
// the flake: whether the derivation of its toplevel is another.
type Change struct {
	// Affected is also true of a host that does not evaluate now, or did not
	// then, or was not there.
	Affected bool
	// Was and Is are the derivations then and now; "" where there is none.
	Was, Is nixcmd.StorePath
	// WasErr says why the host did not evaluate then; nil if it did, or was not
	// there.
	WasErr error
}

// Affected finds out which hosts differ from what they were in another state of
// the flake, by evaluating both: the state that was opened, and Since. Nothing is
// contacted. A host that does not evaluate in the state that was opened is
// Failed; that it did not before is no failure.
//
// What a configuration takes from the commit itself, as self.rev, differs
// between any two commits.
func (f *Fleet) Affected(ctx context.Context, hosts []Host, opt AffectedOptions) *Affected {
	a := &Affected{}
	then := f.namesOf(ctx, opt.Since, f.flake)
	if then.beforeErr == nil && then.nowErr == nil {
		for _, name := range then.before {
			if !slices.Contains(then.now, name) {
				a.Removed = append(a.Removed, name)
			}
		}
	}
	a.Hosts = f.run(ctx, hosts, func(ctx context.Context, j *job) (Outcome, error) {
		c, ev, err := j.change(ctx, opt.Since, then)
		j.set(func(r *Result) { r.Change = &c })
		if err != nil {
			return "", err
		}
		why := c.why()
		j.set(func(r *Result) { r.Reason = why })
		j.emit(Event{Kind: KindDecided, Text: why})
		if !c.Affected || !opt.Build {
			return Evaluated, nil
		}
		if err := j.build(ctx, ev); err != nil {
			return "", err
		}
		return Built, nil
	})
	return a
}

// why is a sentence on a host that evaluates now.
func (c Change) why() string {
	switch {
	case !c.Affected:
		return "not affected: its derivation is the same"
	case c.WasErr != nil:
		brief, _, _ := strings.Cut(c.WasErr.Error(), "\n")
		return "affected: it evaluates now, and did not before: " + brief
	case c.Was == "":
		return "affected: it is new"
	}
	return "affected: its derivation differs"
}

// configNames are the nixosConfigurations of two states.
type configNames struct {
	before, now       []string
	beforeErr, nowErr error
}

func (f *Fleet) namesOf(ctx context.Context, before, now string) (n configNames) {
	var wg sync.WaitGroup
	if before != "" {
		wg.Go(func() { n.before, n.beforeErr = f.configurationsOf(ctx, before) })
	}
	wg.Go(func() { n.now, n.nowErr = f.configurationsOf(ctx, now) })
	wg.Wait()
	return n
}

// change evaluates the host as it is and as it was. The error is that of the
// former.
func (j *job) change(ctx context.Context, since string, names configNames) (c Change, ev nixcmd.Evaluation, err error) {
	c.Affected = true
	if ev, err = j.evaluate(ctx, false); err != nil {
		return c, ev, err
	}
	c.Is = ev.Derivation
	var failed *nixcmd.EvalError
	switch {
	case errors.As(names.beforeErr, &failed):
		c.WasErr = failed
	case names.beforeErr != nil:
		return c, ev, j.stepError(StepEvaluate, names.beforeErr)
	case slices.Contains(names.before, j.host.Attr):
		c.Was, c.WasErr, err = j.evaluateIn(ctx, since)
	}
	c.Affected = c.Was != c.Is
	return c, ev, err
}

// evaluateIn finds the host's derivation in another state of the flake, or why
// it does not evaluate there. The error is that nothing is known.
func (j *job) evaluateIn(ctx context.Context, flake string) (drv nixcmd.StorePath, why, err error) {
	err = j.evaluating(ctx, func(ctx context.Context, c *claim) (string, error) {
		inst, err := installable(flake, j.host)
		if err != nil {
			return "", err
		}
		ev, err := j.fleet.nix.Evaluate(ctx, inst, nixcmd.EvaluateOptions{Started: c.watch, Heap: c.heap()})
		var failed *nixcmd.EvalError
		if errors.As(err, &failed) {
			why = failed
			return "did not evaluate before", nil
		}
		if err != nil {
			return "", err
		}
		drv = ev.Derivation
		text := fmt.Sprintf("%s before", short(ev.Toplevel))
		if ev.Cached {
			text += ", from Nix's cache"
		}
		return text, nil
	})
	return drv, why, err
}
