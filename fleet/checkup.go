package fleet

import (
	"context"
	"errors"
	"fmt"

	"github.com/nixflotilla/flotilla/sshpool"
)

// HealthOptions are options of Fleet.Health. The zero value is useful.
type HealthOptions struct {
	// Wait tries the checks as after an activation: until they have had their
	// successes in a row, or Health.Deadline. Otherwise each is tried once.
	Wait bool
}

// Health makes each host's health checks and changes nothing. A host that
// answers over ssh is Reached if its checks pass, which includes having none, and
// Degraded if some fail; one that does not answer is not checked. It needs no Nix,
// here or there.
func (f *Fleet) Health(ctx context.Context, hosts []Host, opt HealthOptions) *Report {
	return f.run(ctx, hosts, func(ctx context.Context, j *job) (Outcome, error) {
		if err := f.Inventory.Health.err(); err != nil {
			return "", j.stepError(StepHealth, err)
		}
		checks, answers := f.Inventory.Health.of(j.host), "answers"
		if len(checks) == 0 {
			answers += "; no health check is for it"
		}
		var conn Remote
		err := j.step(ctx, StepSurvey, f.stages.sessions, func(ctx context.Context) (_ string, err error) {
			conn, err = j.connect(ctx, func(ctx context.Context, r Remote) error {
				_, err := r.Run(ctx, sshpool.Cmd{Argv: []string{"true"}})
				return err
			})
			return answers, err
		})
		if err != nil {
			return "", err
		}
		if len(checks) == 0 {
			j.set(func(r *Result) { r.Reason = answers })
			return Reached, nil
		}
		err = j.step(ctx, StepHealth, f.stages.sessions, func(ctx context.Context) (string, error) {
			text, err := j.check(ctx, conn, checks, !opt.Wait, nil)
			j.set(func(r *Result) { r.Reason = text })
			return text, err
		})
		switch failed := new(failedChecks); {
		case err == nil:
			return Reached, nil
		case errors.As(err, &failed):
			return Degraded, err
		}
		return "", err
	})
}

// check tries checks and tells what each gave. The error is a *failedChecks if one
// failed that is not among those that had failed before.
func (j *job) check(ctx context.Context, conn Remote, checks []HealthCheck, once bool, before map[string]bool) (string, error) {
	all := j.fleet.Inventory.Health
	within, cancel := context.WithTimeout(ctx, all.deadline())
	defer cancel()
	p := &prober{j, conn}
	w := &watch{checks: checks, once: once, excused: before, here: p.here, there: p.there,
		passed: func(r HealthResult) {
			text := r.Check + ": " + r.Answer
			if r.FailedBefore {
				text += " (failed before)"
			}
			j.log(StepHealth, text)
		},
		changed: func(done int, waitingFor string) { j.progress(StepHealth, waitingFor, done, len(checks)) },
	}
	results := w.run(within)
	j.set(func(r *Result) { r.Health = results })
	e := &failedChecks{of: len(checks)}
	excused := 0
	for _, r := range results {
		switch {
		case r.OK:
		case r.FailedBefore:
			excused++
			j.warn(StepHealth, r.Check+" fails, as it did before the deployment: "+r.Answer)
		default:
			e.failed = append(e.failed, r)
		}
	}
	switch {
	case len(e.failed) > 0 && ctx.Err() != nil:
		return "", context.Cause(ctx)
	case len(e.failed) > 0:
		for _, r := range e.failed {
			j.log(StepHealth, r.Check+" failed: "+r.Answer)
		}
		return "", e
	case excused > 0:
		return fmt.Sprintf("%d of %s passed; what fails had failed before", len(checks)-excused, countChecks(len(checks))), nil
	}
	return countChecks(len(checks)) + " passed", nil
}

// checkup is a host's health before and after an activation; nil if there is
// nothing to check.
type checkup struct {
	job    *job
	checks []HealthCheck
	cancel context.CancelFunc
	// measured is closed once failed says what failed before the deployment.
	measured chan struct{}
	failed   map[string]bool
}

// startCheckup begins to measure how healthy the host is before it is deployed
// to, while it is being built for. Call end once done.
//
// Only what fails on a system that was confirmed, and so is the one that boots, is
// excused: else the second try of an unhealthy system would pass.
func (j *job) startCheckup(ctx context.Context, s surveyed) (*checkup, error) {
	health := j.fleet.Inventory.Health
	if err := health.err(); err != nil {
		return nil, j.stepError(StepHealth, err)
	}
	c := &checkup{job: j, checks: health.of(j.host), measured: make(chan struct{})}
	if len(c.checks) == 0 {
		return nil, nil
	}
	ctx, c.cancel = context.WithTimeout(ctx, health.deadline())
	go func() {
		defer close(c.measured)
		if s.survey.liveToplevel() != s.survey.Profile || s.survey.Uncommitted {
			return
		}
		p := &prober{j, s.conn}
		w := &watch{checks: c.checks, once: true, here: p.here, there: p.there, passed: func(HealthResult) {}, changed: func(int, string) {}}
		c.failed = make(map[string]bool)
		for _, r := range w.run(ctx) {
			c.failed[r.Check] = !r.OK
		}
	}()
	return c, nil
}

// before waits for what was measured before.
func (c *checkup) before() {
	if c != nil {
		<-c.measured
	}
}

func (c *checkup) end() {
	if c != nil {
		c.cancel()
		<-c.measured
	}
}

// after checks a host after its activation. An error means that the new system is
// not to be made the one that boots.
func (c *checkup) after(ctx context.Context, s surveyed, u *unit) error {
	if c == nil {
		return nil
	}
	return c.job.step(ctx, StepHealth, nil, func(ctx context.Context) (string, error) {
		text, err := c.job.check(ctx, u.conn, c.checks, false, c.failed)
		failed := new(failedChecks)
		switch {
		case errors.As(err, &failed):
			failed.hint = fmt.Sprintf("mend it, or correct [health.checks.%s] in %s, and deploy again", failed.failed[0].Check, FileName)
		case err != nil:
			err = &hintedError{err, "the new system is live, but not confirmed; " + u.goesBack()}
		}
		return text, err
	})
}
