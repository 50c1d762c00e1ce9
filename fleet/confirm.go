package fleet

import (
	"context"
	"errors"
	"fmt"
)

// ConfirmOptions are options of Fleet.Confirm. The zero value is useful.
type ConfirmOptions struct {
	// SkipHealth leaves out the checks of Inventory.Health.
	SkipHealth bool
}

// Confirm makes, on each host, the health checks of the deployment that waits to be
// confirmed there, once each, and confirms it: the system that is live becomes the one
// that boots, unless it was to be activated only. What fails is held against it also
// if it had failed before the deployment, which nobody knows any more.
//
// The outcome is Switched, Activated or Staged; Degraded if a check failed, and the host then
// waits on; Unchanged if none waits; RolledBack if the last one no longer does, because
// the host went back by itself; Locked if it is still being activated.
//
// When ctx is done nothing new is started, but a commit that has begun is waited for.
func (f *Fleet) Confirm(ctx context.Context, hosts []Host, opt ConfirmOptions) *Report {
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
			e := j.locked(held)
			e.heed(s.survey.Deployment)
			e.waits = false
			return Locked, j.stepError(StepCommit, e)
		case s.survey.Restored != nil:
			return RolledBack, j.stepError(StepCommit, &hintedError{errors.New("nothing waits to be confirmed: " + s.survey.Restored.String()), s.survey.nowRuns(s.survey.Current)})
		default:
			j.because("no deployment waits to be confirmed there")
			return Unchanged, nil
		}
		outcome, goesBack := Switched, held.values["lock/restore"] != "no"
		if active := storePath(held.values["lock/active"]); active != s.eval.Toplevel {
			s.specialised = active
		}
		switch {
		case held.values["lock/action"] == "stage", held.values["lock/status"] == "100":
			outcome = Staged
		case held.values["lock/generation"] == "none":
			outcome = Activated
		}
		if err := f.Inventory.Health.err(); err != nil {
			return "", j.stepError(StepHealth, err)
		}
		if checks := f.Inventory.Health.of(j.host); !opt.SkipHealth && outcome != Staged && len(checks) > 0 {
			if err := j.checkWaiting(ctx, s, checks, goesBack); err != nil {
				if failed := new(failedChecks); errors.As(err, &failed) {
					return Degraded, err
				}
				return "", err
			}
		}
		c := j.newUnit(ctx, StepCommit, s)
		c.name, c.guard, c.generation = "flotilla-commit-"+held.values["lock/id"], j.newGuard(s), held.values["lock/generation"]
		// What it goes back to is not what it runs now.
		c.guard.restore, c.survey.Current, c.survey.Specialisations = goesBack, "", nil
		if d := s.survey.Deployment; d != nil {
			c.survey.Current = d.Previous
		}
		outcome, err = j.commit(context.WithoutCancel(ctx), c, s, outcome)
		if ended := (*endedError)(nil); errors.As(err, &ended) {
			return ended.outcome(), err
		}
		return outcome, err
	})
}

// checkWaiting checks a host that waits to be confirmed.
func (j *job) checkWaiting(ctx context.Context, s surveyed, checks []HealthCheck, goesBack bool) error {
	return j.step(ctx, StepHealth, j.fleet.stages.sessions, func(ctx context.Context) (string, error) {
		text, err := j.check(ctx, s.conn, checks, true, nil)
		if failed := new(failedChecks); errors.As(err, &failed) {
			failed.hint = fmt.Sprintf("it is not confirmed, and waits on: mend it and confirm it again, or `confirm %s -noHealth`", j.host.Name)
			if goesBack {
				failed.hint += "; else it goes back by itself"
			}
		}
		return text, err
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
		e := j.locked(held)
		switch held.end {
		case "free":
			j.because("there is no lock")
			return Unchanged, nil
		case "stale":
			j.because("removed the lock of " + or(e.by, "a deployment that left nothing else"))
			return Reached, nil
		case "waiting":
			e.waits = true
		default:
			e.heed(s.survey.Deployment)
			e.waits = false
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
	res, err := j.runUnit(ctx, s.conn.Run, s.survey, nil, mode)
	if err == nil {
		held, err = parseAnswer(string(res.Stdout))
	}
	if err != nil {
		return s, held, j.stepError(StepSurvey, fmt.Errorf("cannot look at the host's lock: %w", err))
	}
	return s, held, nil
}
