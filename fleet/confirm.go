package fleet

import (
	"context"
	"errors"
	"fmt"
)

// Confirm confirms, on each host, the deployment that waits for that there: the
// system that is live becomes the one that boots. Its health is not checked. The
// outcome is Switched; Unchanged if none waits; RolledBack if the last one no longer
// does, because the host went back by itself; Locked if it is still being activated.
//
// When ctx is done nothing new is started, but a commit that has begun is waited for.
func (f *Fleet) Confirm(ctx context.Context, hosts []Host) *Report {
	return f.run(ctx, hosts, func(ctx context.Context, j *job) (Outcome, error) {
		s, held, err := j.lookAtLock(ctx, "look")
		if err != nil {
			return "", err
		}
		s.eval.Toplevel = storePath(held.values["lock/toplevel"])
		switch {
		case held.end == "waiting" && s.eval.Toplevel != "":
			j.set(func(r *Result) { r.Wanted = s.eval.Toplevel })
			if status := held.values["lock/status"]; status != "0" && status != "" {
				j.warn(StepCommit, "its activation ended with exit code "+status)
			}
		case held.end == "running":
			return Locked, j.stepError(StepCommit, j.newUnit(ctx, StepCommit, s).locked(held))
		case s.survey.Restored != nil:
			return RolledBack, j.stepError(StepCommit, &hintedError{errors.New("nothing waits to be confirmed: " + s.survey.Restored.String()), s.survey.nowRuns(s.survey.Current)})
		default:
			j.because("no deployment waits to be confirmed there")
			return Unchanged, nil
		}
		c := j.newUnit(ctx, StepCommit, s)
		c.name, c.guard = "flotilla-commit-"+held.values["lock/id"], j.newGuard(s)
		outcome, err := j.commit(context.WithoutCancel(ctx), c, s, Switched)
		if ended := (*endedError)(nil); errors.As(err, &ended) {
			return ended.outcome(), err
		}
		return outcome, err
	})
}

// Unlock removes, on each host, the lock of a deployment that is over but did not
// release it. The outcome is Reached, or Unchanged if there is no lock. A host on which
// something goes on under the lock, or will if the deployment is not confirmed, is left
// alone: Locked.
func (f *Fleet) Unlock(ctx context.Context, hosts []Host) *Report {
	return f.run(ctx, hosts, func(ctx context.Context, j *job) (Outcome, error) {
		s, held, err := j.lookAtLock(ctx, "unlock")
		if err != nil {
			return "", err
		}
		e := j.newUnit(ctx, StepCommit, s).locked(held)
		switch held.end {
		case "free":
			j.because("there is no lock")
			return Unchanged, nil
		case "stale":
			j.because("removed the lock of " + or(e.by, "a deployment that left nothing else"))
			return Reached, nil
		case "waiting":
			e.waits = true
		}
		return Locked, j.stepError(StepSurvey, e)
	})
}

func (j *job) because(reason string) {
	j.set(func(r *Result) { r.Reason = reason })
	j.emit(Event{Kind: KindDecided, Text: reason})
}

// lookAtLock surveys a host and runs unit.sh's mode look or unlock.
func (j *job) lookAtLock(ctx context.Context, mode string) (s surveyed, held answer, err error) {
	if s.conn, s.survey, err = j.connectAndSurvey(ctx); err != nil {
		return s, held, err
	}
	if s.survey.Root == RootNo || !s.survey.Systemd {
		return s, held, j.stepError(StepSurvey, s.survey.unfit())
	}
	if err := j.tryPassword(ctx, s); err != nil {
		return s, held, j.stepError(StepSurvey, err)
	}
	res, err := j.asRoot(ctx, s.conn.Run, s.survey, nil, unitScript, mode)
	if err == nil {
		held, err = parseAnswer(string(res.Stdout))
	}
	if err != nil {
		return s, held, j.stepError(StepSurvey, fmt.Errorf("cannot look at the host's lock: %w", err))
	}
	return s, held, nil
}
