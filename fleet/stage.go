package fleet

import (
	"context"
	"fmt"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// decideBoot is Decide for a system that is only to be booted next: what the host
// runs does not matter.
func decideBoot(s Survey, wanted nixcmd.StorePath, force bool) Plan {
	switch {
	case s.Profile == wanted && s.Uncommitted:
		return Plan{true, fmt.Sprintf("it is to boot %s, but %s", short(wanted), s.unfinished())}
	case s.Profile == wanted && force && s.Current == wanted:
		return Plan{true, "it already runs and boots this system, and will be as before; making its boot entry again was asked for"}
	case s.Profile == wanted && force:
		return Plan{true, "it already boots this system; making its boot entry again was asked for"}
	case s.Profile == wanted && s.Current != wanted:
		return Plan{false, fmt.Sprintf("it runs %s, and already boots %s next", short(s.Current), short(wanted))}
	case s.Profile == wanted:
		return Plan{false, "it already runs and boots " + short(wanted)}
	}
	if s.Uncommitted {
		return Plan{true, fmt.Sprintf("%s, wanted is %s", s.bootsUnknown(), short(wanted))}
	}
	return Plan{true, fmt.Sprintf("it boots %s, wanted is %s", short(s.Profile), short(wanted))}
}

// stage makes the system the one that boots, and activates nothing. The unit has
// run to its end when it returns, unless the host was lost or the wait abandoned.
func (j *job) stage(ctx context.Context, s surveyed, abandon <-chan struct{}) (Outcome, error) {
	if j.gate != nil {
		if err := j.gate.enter(ctx, j); err != nil {
			return "", err
		}
	}
	if err := j.fleet.stages.activations.Acquire(ctx, 1); err != nil {
		return "", j.stepError(StepCommit, context.Cause(ctx))
	}
	defer j.fleet.stages.activations.Release(1)
	run := ctx
	ctx, release := untilAbandoned(ctx, abandon)
	defer release()

	outcome := Staged
	u := j.newUnit(run, StepActivate, s)
	u.step, u.guard, u.active = StepCommit, j.newGuard(s), u.toplevel
	// What must not change while it runs may be another after a boot.
	u.guard.restore, u.guard.check = false, "go"
	c := u.sibling(StepCommit)
	err := j.step(ctx, StepCommit, nil, func(ctx context.Context) (string, error) {
		// Nothing is activated, but the host's lock is taken.
		if _, err := u.activate(ctx, "stage"); err != nil {
			return "", err
		}
		end, err := c.commit(ctx, false)
		if err != nil {
			return "", err
		}
		if end.status == 11 {
			outcome, err = judge(end, "")
		}
		var text string
		if err == nil {
			text, err = verified(end, s, Staged)
		}
		if err != nil {
			c.clean(ctx)
			return "", err
		}
		j.set(func(r *Result) { r.RebootFor = partNames(end.rebootChanges()) })
		return text, nil
	})
	if err != nil && outcome == Staged {
		outcome = ""
	}
	return outcome, err
}
