package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// cleaning is how long a run waits for a host to clear what is over.
const cleaning = 5 * time.Second

// giveUp decides what becomes of a host whose activation, checks or commit went
// wrong, and does it. The outcome is the one that stands if nothing is done.
func (j *job) giveUp(ctx context.Context, u *unit, outcome Outcome, untouched bool, cause error) (Outcome, error) {
	var (
		ended      *endedError
		locked     *lockedError
		activation *activationError
		checks     *failedChecks
	)
	switch {
	case errors.As(cause, &ended):
		// It has been heard, though perhaps over another connection than this one, which
		// may be dead.
		soon, cancel := context.WithTimeout(ctx, cleaning)
		u.clean(soon)
		cancel()
		return ended.outcome(), cause
	case errors.As(cause, &locked):
		return Locked, cause
	case !errors.As(cause, &activation) && !errors.As(cause, &checks):
		return "", cause
	case untouched, !u.guard.restore, outcome == Degraded && activation != nil && j.fleet.Inventory.Activation.KeepDegraded:
		u.clean(ctx)
		if checks != nil {
			cause = hinting(cause, checks.hint+"; the new system is live; if the host lost power now, "+u.boots())
		}
		return outcome, cause
	}
	return j.restore(ctx, u, cause)
}

// decidedAlready is the exit status of a unit of guard.sh that finds the deployment
// decided by another.
const decidedAlready = 75

// restore brings the old system back.
func (j *job) restore(ctx context.Context, u *unit, cause error) (Outcome, error) {
	r := u.sibling(StepRestore)
	var ended *endedError
	err := j.step(ctx, StepRestore, nil, func(ctx context.Context) (string, error) {
		var err error
		ended, err = r.restore(ctx, brief(cause))
		if err != nil {
			return "", err
		}
		if ended.result != "restored" {
			ended.why = or(ended.why, brief(cause))
			return "", ended
		}
		return "runs " + short(storePath(ended.current)) + " again", nil
	})
	if err != nil {
		if ended != nil {
			return ended.outcome(), errors.Join(err, cause)
		}
		if se := (*StepError)(nil); errors.As(err, &se) && se.Hint != "" {
			err = hinting(err, se.Hint+"; what was wrong: "+brief(cause))
		}
		return "", errors.Join(err, cause)
	}
	var activation *activationError
	if errors.As(cause, &activation) && (activation.status < 0 || activation.status == decidedAlready) && ended.why != "" && ended.why != brief(cause) {
		// The signal was the guard's, or the guard decided first: it has a reason.
		step := StepActivate
		if se := (*StepError)(nil); errors.As(cause, &se) {
			step = se.Step
		}
		ended.lines, ended.unit = activation.lines, activation.unit
		return ended.outcome(), j.stepError(step, ended)
	}
	hint := "the old system was brought back: " + u.survey.nowRuns(storePath(ended.current))
	if ended.code == 4 {
		hint += ", with failed units of its own"
	}
	var checks *failedChecks
	if errors.As(cause, &checks) {
		hint = checks.hint + "; " + hint
	}
	return RolledBack, hinting(cause, hint)
}

// restore has unit.sh do it, or finds it done.
func (u *unit) restore(ctx context.Context, why string) (*endedError, error) {
	end, err := u.follow(ctx, "restore", why)
	var ended *endedError
	switch {
	case errors.As(err, &ended):
		// By the guard, which leaves what became of it for whoever asks.
		u.clean(ctx)
		return ended, nil
	case err != nil:
		return nil, err
	}
	ended = end.ended(u.survey)
	if ended == nil || ended.result != "restored" {
		u.clean(ctx)
	}
	if ended == nil {
		return nil, &hintedError{fmt.Errorf("the host does not say what became of it; it runs %s", storePathOr(end.values["current"])),
			"see `journalctl -u " + u.name + "` there"}
	}
	return ended, nil
}

// brief is an error's cause on one line.
func brief(err error) string {
	text := err.Error()
	var se *StepError
	if errors.As(err, &se) {
		text = fmt.Sprintf("%s: %s", se.Step, se.Brief)
	}
	return strings.Join(strings.Fields(text), " ")
}

// hinting is a step's error with another hint.
func hinting(err error, hint string) error {
	var se *StepError
	if !errors.As(err, &se) {
		return err
	}
	other := *se
	other.Hint = hint
	return &other
}
