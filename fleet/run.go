package fleet

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/nixflotilla/flotilla/sshpool"
)

// job is the work on one host in one run.
type job struct {
	fleet   *Fleet
	host    Host
	started time.Time

	mu     sync.Mutex
	result Result
}

// run does the same work on every host at once, and returns when all are done.
// The work returns the outcome of its host, or an error that run turns into
// one.
func (f *Fleet) run(ctx context.Context, hosts []Host, work func(context.Context, *job) (Outcome, error)) *Report {
	hosts = distinct(hosts)
	report := &Report{Started: time.Now(), Results: make([]Result, len(hosts))}
	var wg sync.WaitGroup
	for i, h := range hosts {
		wg.Go(func() {
			j := &job{fleet: f, host: h, started: report.Started, result: Result{Host: h}}
			outcome, err := work(ctx, j)
			report.Results[i] = j.finish(ctx, outcome, err)
		})
	}
	wg.Wait()
	report.Duration = time.Since(report.Started)
	report.Cancelled = ctx.Err() != nil
	return report
}

// distinct leaves the first of several hosts of one name.
func distinct(hosts []Host) []Host {
	seen := make(map[string]bool, len(hosts))
	return slices.DeleteFunc(slices.Clone(hosts), func(h Host) bool {
		again := seen[h.Name]
		seen[h.Name] = true
		return again
	})
}

// finish closes the books on one host.
func (j *job) finish(ctx context.Context, outcome Outcome, err error) Result {
	j.mu.Lock()
	r := j.result
	j.mu.Unlock()
	r.Outcome, r.Duration = outcome, time.Since(j.started)
	if err != nil {
		r.Err = err
		if outcome == "" {
			r.Outcome = outcomeOf(ctx, err)
		}
	}
	j.emit(Event{Kind: KindResult, Duration: r.Duration, Result: &r})
	return r
}

// outcomeOf is what an error makes of a host that got no further.
func outcomeOf(ctx context.Context, err error) Outcome {
	var se *sshpool.Error
	switch {
	case ctx.Err() != nil && errors.Is(err, context.Cause(ctx)), errors.Is(err, ErrAbandoned), errors.Is(err, errNeverStarted):
		return Cancelled
	case errors.Is(err, errNoAnswer), errors.As(err, &se) && (se.Kind == sshpool.KindUnreachable || se.Kind == sshpool.KindLost):
		return Unreachable
	}
	return Failed
}

func (j *job) emit(e Event) {
	e.Time, e.Host = time.Now(), j.host.Name
	j.fleet.emit(e)
}

// set changes the host's result.
func (j *job) set(change func(*Result)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	change(&j.result)
}

// step does one step of the work once the stage's limit allows, tells what
// becomes of it, and turns an error into a *StepError. The work returns a short
// text saying what came of it, or none.
func (j *job) step(ctx context.Context, s Step, limit *semaphore.Weighted, work func(context.Context) (string, error)) error {
	if limit != nil {
		if err := limit.Acquire(ctx, 1); err != nil {
			return j.stepError(s, context.Cause(ctx))
		}
		defer limit.Release(1)
	}
	j.emit(Event{Step: s, Kind: KindStarted})
	began := time.Now()
	text, err := work(ctx)
	took := time.Since(began)
	j.set(func(r *Result) { r.Steps = append(r.Steps, StepTime{s, took}) })
	if errors.Is(err, errOtherHalfFailed) {
		j.emit(Event{Step: s, Kind: KindGivenUp, Duration: took})
		return err
	}
	if err != nil {
		err = j.stepError(s, err)
		j.emit(Event{Step: s, Kind: KindFailed, Err: err, Duration: took})
		return err
	}
	j.emit(Event{Step: s, Kind: KindDone, Text: text, Duration: took})
	return nil
}

func (j *job) progress(s Step, text string) { j.emit(Event{Step: s, Kind: KindProgress, Text: text}) }
func (j *job) log(s Step, text string)      { j.emit(Event{Step: s, Kind: KindLog, Text: text}) }
func (j *job) warn(s Step, text string)     { j.emit(Event{Step: s, Kind: KindWarning, Text: text}) }
