package fleet

import (
	"context"
	"errors"
	"strings"
)

// activate makes the system live in a detached unit, verifies that it is and that
// it is healthy, and makes it the one that boots; or else it brings the old one back.
// All units have run to their end when it returns, unless the host was lost or the
// wait abandoned: then the host's own guard does that.
func (j *job) activate(ctx context.Context, s surveyed, abandon <-chan struct{}) (Outcome, error) {
	j.checkup.before()
	if j.gate != nil {
		if err := j.gate.enter(ctx, j); err != nil {
			return "", err
		}
	}
	if err := j.fleet.stages.activations.Acquire(ctx, 1); err != nil {
		return "", j.stepError(StepActivate, context.Cause(ctx))
	}
	defer j.fleet.stages.activations.Release(1)

	// From here on a cancelled run must not leave a host between two systems.
	run := ctx
	ctx, release := untilAbandoned(ctx, abandon)
	defer release()

	var outcome Outcome
	var untouched bool
	u := j.newUnit(run, StepActivate, s)
	u.guard, u.each = j.newGuard(s), j.units.read
	var early *ahead
	if j.checkup == nil {
		u.activated = func() { early = u.goAhead(ctx) }
	}
	defer func() { early.drop() }()
	err := j.step(ctx, StepActivate, nil, func(ctx context.Context) (string, error) {
		end, staged, err := j.switchOrStage(ctx, u)
		if err != nil {
			return "", err
		}
		untouched = end.values["untouched"] == "yes"
		if outcome, err = judge(end, u.now(end)); err != nil {
			return "", err
		}
		switch {
		case staged != nil:
			outcome = Staged
			j.stagedBecause(inhibitorsDiffer(staged))
		case outcome == Staged:
			j.stagedBecause("the new system has another init interface")
		case j.keepsBoot:
			outcome = Activated
		}
		return "", nil
	})
	if err != nil {
		return j.giveUp(ctx, u, outcome, untouched, err)
	}

	if outcome != Staged {
		if err := j.checkup.after(ctx, s, u); err != nil {
			return j.giveUp(ctx, u, Degraded, false, err)
		}
	}

	c := u.sibling(StepCommit)
	if early != nil {
		c = early.unit
	}
	outcome, err = j.commit(ctx, c, s, outcome)
	if err != nil {
		return j.giveUp(ctx, u, Failed, untouched, err)
	}
	return outcome, nil
}

// switchOrStage activates the system, or only takes the host's lock to make it the one
// that boots, if some of its switch inhibitors differ: it then says which.
func (j *job) switchOrStage(ctx context.Context, u *unit) (unitEnd, []SwitchInhibitor, error) {
	end, err := u.activate(ctx, "test")
	if err != nil || end.end != "inhibited" {
		return end, nil, err
	}
	differ := end.inhibitors()
	if differ == nil {
		u.guard.check = "go"
		end, err = u.activate(ctx, "test")
		return end, nil, err
	}
	if j.keepsBoot {
		return end, nil, &hintedError{errors.New(inhibitorsDiffer(differ) + ", so that the system must not be switched to"),
			"deploy it to be booted into, or activate it without checks"}
	}
	u.guard.check, u.guard.restore = "go", false
	end, err = u.activate(ctx, "stage")
	return end, differ, err
}

// stagedBecause says why a system was not switched to.
func (j *job) stagedBecause(why string) {
	why = "staged for the next boot, because " + why
	j.warn(StepActivate, why)
	j.set(func(r *Result) { r.Reason = strings.TrimPrefix(r.Reason+"; "+why, "; ") })
}

// commit verifies that the new system is live, unless it is Staged, and makes it the
// one that boots.
func (j *job) commit(ctx context.Context, c *unit, s surveyed, outcome Outcome) (Outcome, error) {
	ctx, ended := c.commitSpan(ctx)
	err := j.stepWithin(ctx, StepCommit, ended, func(ctx context.Context) (string, error) {
		commit := func() (unitEnd, error) { return c.commit(ctx, outcome != Staged) }
		if c.ahead != nil {
			commit = c.ahead.take
		}
		end, err := commit()
		if err != nil {
			return "", err
		}
		text, err := verified(end, s, outcome)
		if err != nil {
			if end.end == "not-live" {
				c.clean(ctx)
			}
			return "", err
		}
		if parts := partNames(end.rebootChanges()); len(parts) > 0 {
			j.set(func(r *Result) { r.RebootFor = parts })
			if outcome == Switched {
				outcome = SwitchedNeedsReboot
			}
		}
		return text, nil
	})
	if err != nil {
		return "", err
	}
	return outcome, nil
}

// untilAbandoned is ctx without its cancellation, done once abandon is closed.
func untilAbandoned(ctx context.Context, abandon <-chan struct{}) (context.Context, func()) {
	inner, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	if abandon == nil {
		return inner, func() { cancel(nil) }
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-abandon:
			cancel(ErrAbandoned)
		case <-inner.Done():
		}
	}()
	return inner, func() { cancel(nil); <-done }
}
