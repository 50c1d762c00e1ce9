package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/nixflotilla/flotilla/internal/readset"
	"github.com/nixflotilla/flotilla/nixcmd"
)

// AffectedOptions are options of Fleet.Affected.
type AffectedOptions struct {
	// Since is the state to compare with, as Nix finds the flake, such as
	// nixcmd.Commit.FlakeRef. "" is no state at all: every host is new then.
	Since string
	// SinceCommit is the commit that Since is of, as State.Commit.
	SinceCommit string
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
// the flake: the state that was opened is compared with Since. A host is evaluated in
// a state only if its derivation there is not known from earlier evaluations, which
// one of the other state may be: if nothing that it reads differs between the two it
// is not evaluated twice. Nothing is contacted. A host that does not evaluate in the
// state that was opened is Failed; that it did not before is no failure.
//
// What a configuration takes from the commit itself, as self.rev, differs
// between any two commits.
func (f *Fleet) Affected(ctx context.Context, hosts []Host, opt AffectedOptions) *Affected {
	a := &Affected{}
	now := f.recollect(ctx)
	then := now.beside(opt.Since, opt.SinceCommit)
	names := namesOf(ctx, then, now)
	if names.beforeErr == nil && names.nowErr == nil {
		for _, name := range names.before {
			if !slices.Contains(names.now, name) {
				a.Removed = append(a.Removed, name)
			}
		}
	}
	a.Hosts = f.runWith(ctx, now, AtOnce, hosts, func(ctx context.Context, j *job) (Outcome, error) {
		c, ev, err := j.change(ctx, then, names)
		j.set(func(r *Result) { r.Change = &c })
		if err != nil {
			return "", err
		}
		why := c.why(now.differing(then, j.host))
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

// why is a sentence on a host that evaluates now; touched says what changed of
// what it reads, "" for nothing if that is known.
func (c Change) why(touched string, known bool) string {
	switch {
	case !c.Affected && touched != "":
		return "not affected: its derivation is the same, though " + touched
	case !c.Affected && known:
		return "not affected: nothing it reads changed"
	case !c.Affected:
		return "not affected: its derivation is the same"
	case c.WasErr != nil:
		brief, _, _ := strings.Cut(c.WasErr.Error(), "\n")
		return "affected: it evaluates now, and did not before: " + brief
	case c.Was == "":
		return "affected: it is new"
	case touched != "":
		return "affected: " + touched
	}
	return "affected: its derivation differs"
}

// differing says what differs between the two states of what the host reads, "" for
// nothing, and whether that is known.
func (s *recollection) differing(then *recollection, h Host) (what string, known bool) {
	if then.flake == "" || !s.open() || !then.open() {
		return "", false
	}
	now, was := s.tree.Fingerprint(), then.tree.Fingerprint()
	if now == was {
		return "", true
	}
	for _, r := range s.store.Load(h.Name) {
		if r.Settings == s.key(h) && (r.Holds(now) || r.Holds(was)) && (r.Hidden == "" || s.tree.Shape() != then.tree.Shape()) {
			return readset.Touched(readset.Question{Base: r, From: then.tree, To: s.tree, Imported: s.importedByOthers(h)}), true
		}
	}
	return "", false
}

// configNames are the nixosConfigurations of two states.
type configNames struct {
	before, now       []string
	beforeErr, nowErr error
}

func namesOf(ctx context.Context, before, now *recollection) (n configNames) {
	var wg sync.WaitGroup
	if before.flake != "" {
		wg.Go(func() { n.before, n.beforeErr = before.names(ctx) })
	}
	wg.Go(func() { n.now, n.nowErr = now.names(ctx) })
	wg.Wait()
	return n
}

// change finds the host's derivation as it is and as it was. The error is that of
// the former.
func (j *job) change(ctx context.Context, then *recollection, names configNames) (c Change, ev nixcmd.Evaluation, err error) {
	c.Affected = true
	if ev, err = j.evaluate(ctx, false); err != nil {
		return c, ev, err
	}
	c.Is = ev.Derivation
	if j.learned != nil {
		<-j.learned // may be all there is to know of the other state
	}
	var failed *nixcmd.EvalError
	switch {
	case errors.As(names.beforeErr, &failed):
		c.WasErr = failed
	case names.beforeErr != nil:
		return c, ev, j.stepError(StepEvaluate, names.beforeErr)
	case slices.Contains(names.before, j.host.Attr):
		c.Was, c.WasErr, err = j.evaluateIn(ctx, then)
	}
	c.Affected = c.Was != c.Is
	return c, ev, err
}

// evaluateIn finds the host's derivation in another state of the flake, or why
// it does not evaluate there. The error is that nothing is known.
func (j *job) evaluateIn(ctx context.Context, s *recollection) (drv nixcmd.StorePath, why, err error) {
	known := s.ask(j.host)
	if known.result != nil && !j.fleet.verify {
		drv, err := nixcmd.ParseStorePath(known.result.Derivation)
		return drv, nil, err
	}
	err = j.evaluating(ctx, func(ctx context.Context, c *claim) (string, error) {
		inst, err := installable(s.flake, j.host)
		if err != nil {
			return "", err
		}
		if known.why != "" {
			j.progress(StepEvaluate, "before: "+known.evaluating(), 0, 0)
		}
		j.set(func(r *Result) {
			if r.Evaluation.Avoided { // as it is now
				r.Evaluation = Verdict{Reason: known.why}
			}
		})
		ev, err := j.fleet.nix.Evaluate(ctx, inst, nixcmd.EvaluateOptions{Started: c.watch, Heap: c.heap(), Fresh: known.result != nil || j.fleet.fresh, WatchOpens: s.watches(known.reads)})
		var failed *nixcmd.EvalError
		if errors.As(err, &failed) && known.result == nil {
			why = failed
			return "did not evaluate before", nil
		}
		if err == nil {
			err = wrong(known, ev)
		}
		if err != nil {
			return "", err
		}
		if known.result == nil {
			s.learn(j.host, ev)
		}
		drv = ev.Derivation
		text := fmt.Sprintf("%s before", short(ev.Toplevel))
		if ev.Cached {
			text += ", from Nix's cache"
		}
		if known.why != "" {
			text += ": " + known.evaluating()
		}
		return text, nil
	})
	return drv, why, err
}
