package fleet

import (
	"context"
	"errors"
	"sync"
)

// WantPassword returns those hosts on which becoming root takes a password, for a
// person to be asked before a run. Hosts whose way is known from an earlier run, and
// those whose user is root by name, are not contacted; the others are asked at the same
// time, in one session each. A host that does not answer wants none: the run will tell.
func (f *Fleet) WantPassword(ctx context.Context, hosts []Host) []Host {
	hosts = distinct(hosts)
	wants := make([]bool, len(hosts))
	var wg sync.WaitGroup
	for i, h := range hosts {
		if become := or(h.Become, BecomeAuto); h.User == "root" || become != BecomeAuto && become != BecomeSudo {
			continue
		}
		// Not history.of, which has a word to say only once.
		past, _ := readLearnt(f.history.file(h.Name))
		if past.Root != "" {
			wants[i] = past.Root == RootSudoPassword
			continue
		}
		wg.Go(func() {
			if f.stages.sessions.Acquire(ctx, 1) != nil {
				return
			}
			defer f.stages.sessions.Release(1)
			s, err := f.surveyAlone(ctx, h)
			wants[i] = err == nil && s.survey.Root == RootSudoPassword
		})
	}
	wg.Wait()
	var want []Host
	for i, h := range hosts {
		if wants[i] {
			want = append(want, h)
		}
	}
	return want
}

// TryPassword tries a password, on the first of the hosts that answers and wants one. It
// returns nil if sudo took it, or if there is no such host; an error that wraps
// ErrPasswordRefused if sudo did not take it; or context.Cause. In what this Fleet does
// later it knows the answer.
func (f *Fleet) TryPassword(ctx context.Context, hosts []Host, p Password) error {
	for _, h := range hosts {
		s, err := f.surveyAlone(ctx, h)
		if err == nil && s.survey.Root == RootSudoPassword {
			if err = f.tryPassword(ctx, h, s.conn, p); err == nil || errors.Is(err, ErrPasswordRefused) {
				return err
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// surveyAlone surveys a host outside of any run.
func (f *Fleet) surveyAlone(ctx context.Context, h Host) (s surveyed, err error) {
	j := &job{fleet: f, host: h}
	s.conn, err = j.connectTo(ctx, h, func(ctx context.Context, r Remote) (err error) {
		s.survey, err = survey(ctx, r, h.Become)
		return err
	})
	return s, err
}
