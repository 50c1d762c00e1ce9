package fleet

import (
	"context"
	"errors"
	"fmt"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// Reactivate activates the system that each host runs and boots once more, as a
// deployment of that very system does: under the host's lock, guarded, in a
// detached unit, and verified. Which system that is, is what the host says then,
// whatever the flake wants; a host that boots another one than it runs fails
// untouched, since its boot entry would change. Health checks are not made. The
// outcomes are those of Deploy.
//
// Between the question and the lock there is a moment in which somebody else may
// deploy; that deployment would be taken back.
//
// Abandon is as in DeployOptions.
func (f *Fleet) Reactivate(ctx context.Context, hosts []Host, abandon <-chan struct{}) *Report {
	return f.run(ctx, hosts, func(ctx context.Context, j *job) (Outcome, error) {
		conn, survey, err := j.connectAndSurvey(ctx)
		if err != nil {
			return "", err
		}
		generation, err := survey.settled()
		if err != nil {
			return "", j.stepError(StepSurvey, err)
		}
		s := surveyed{conn: conn, survey: survey, eval: nixcmd.Evaluation{Toplevel: survey.Current}, generation: generation}
		if err := j.tryPassword(ctx, s); err != nil {
			return "", j.stepError(StepSurvey, err)
		}
		j.set(func(r *Result) { r.Wanted, r.Reason = survey.Current, "it is activated once more" })
		return j.activate(ctx, s, abandon)
	})
}

// settled is the number of the generation that the host runs and boots, or says
// why it does not do both.
func (s Survey) settled() (int, error) {
	if err := s.unfit(); err != nil {
		return 0, err
	}
	number := linkNumber(s.Generation)
	switch {
	case s.Uncommitted:
		return 0, &hintedError{errors.New(s.unfinished() + ": to activate would make it"), "deploy it first"}
	case s.Current == "" || s.Current != s.Profile:
		return 0, &hintedError{fmt.Errorf("it runs %s and boots %s: to activate would change what it boots", storePathOr(string(s.Current)), storePathOr(string(s.Profile))),
			"deploy it, or roll it back, first"}
	case number == 0:
		return 0, fmt.Errorf("its profile leads to %q, which is no generation", s.Generation)
	}
	return number, nil
}
