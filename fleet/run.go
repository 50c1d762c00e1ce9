package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/nixflotilla/flotilla/internal/readset"
	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

// job is the work on one host in one run.
type job struct {
	fleet   *Fleet
	host    Host
	started time.Time
	seen    *recollection

	// why says why the host is evaluated, empty if nothing is known of that.
	why string
	// learned is closed once what its last evaluation showed is kept; nil if there was
	// none.
	learned chan struct{}
	// looked says that the host's evaluation looked at the tree; reads is what is
	// known of what it read before, nil if nothing is.
	looked bool
	reads  *readset.Result

	// cache is asked by the build besides Nix's own substituters; the zero value
	// is none.
	cache nixcmd.Cache
	// conn is the host's connection once it was surveyed, else nil; said is what it
	// answered then.
	conn Remote
	said Survey
	// builderConn is that of its build host, once that was tried out, else nil.
	builderConn Remote
	// keepBuilt says that a system built on the host is not activated there next.
	keepBuilt bool
	// gate holds back the activation; nil means nothing does.
	gate *gate
	// noRollback leaves a new system live whatever comes of it.
	noRollback bool
	// noCheck leaves out what systems check before they are switched to, keepsBoot
	// leaves what boots as it is.
	noCheck, keepsBoot bool
	// checkup is nil if the host's health is not to be checked.
	checkup *checkup

	// comparison is beside a deployment, nil if there is nothing to compare; copied and
	// units are what it has copied, and the units that the activation acted on.
	comparison *comparison
	copied     CopyWork
	units      UnitChanges

	// past is what earlier runs have taught of the host.
	past learnt

	mu     sync.Mutex
	result Result
	usage  map[Step]Usage
	// ahead are the steps that are known to come, idle those that had nothing to
	// do; fresh is what this run teaches.
	ahead []Step
	idle  map[Step]bool
	fresh learnt
}

// Order says which hosts of a run are worked on at the same time. The zero
// value is AtOnce.
type Order int

// The orders.
const (
	// AtOnce: all, as far as the Limits allow; none waits for another.
	AtOnce Order = iota
	// InTurn: one after the other, in the order in which they are given.
	InTurn
	// UntilFailure: as InTurn, but once a host has not ended well the remaining
	// ones are Skipped.
	UntilFailure
	// InWaves: as AtOnce, but Deploy holds activations back as Inventory.Rollout
	// says. A host of a later wave may be surveyed, evaluated, built and copied to
	// while those before it are still being activated.
	InWaves
)

// work is what is done to one host. It returns the outcome, or an error that run
// turns into one.
type work func(context.Context, *job) (Outcome, error)

// run does the same work on every host at once, and returns when all are done.
func (f *Fleet) run(ctx context.Context, hosts []Host, do work) *Report {
	return f.runIn(ctx, AtOnce, hosts, do)
}

// runIn is run in an order.
func (f *Fleet) runIn(ctx context.Context, order Order, hosts []Host, do work) *Report {
	return f.runWith(ctx, f.recollect(ctx), order, hosts, do)
}

// runWith is runIn with what is known of the flake.
func (f *Fleet) runWith(ctx context.Context, seen *recollection, order Order, hosts []Host, do work) *Report {
	hosts = distinct(hosts)
	report := &Report{Started: time.Now(), Results: make([]Result, len(hosts))}
	switch order {
	case AtOnce:
		seen.parties.hosts = hosts
	case InWaves: // those of the first wave are waited for
		seen.parties.hosts = slices.Concat(f.Inventory.Rollout.Plan(hosts)...)
	}
	one := func(i int, do work) Result {
		j := &job{fleet: f, host: hosts[i], started: report.Started, seen: seen, result: Result{Host: hosts[i]}}
		j.lookBack()
		traced, end := hostSpan(ctx, hosts[i])
		outcome, err := do(traced, j)
		seen.parties.leave(hosts[i])
		seen.noteReader(j)
		report.Results[i] = j.finish(ctx, outcome, err)
		end(report.Results[i])
		return report.Results[i]
	}
	var wg sync.WaitGroup
	stopped := ""
	for i, h := range hosts {
		switch {
		case order == AtOnce, order == InWaves:
			wg.Go(func() { one(i, do) })
		case stopped != "" && ctx.Err() == nil:
			one(i, skip(stopped))
		default:
			// Cancelled hosts come here too, and say so themselves.
			if r := one(i, do); order == UntilFailure && !r.Outcome.OK() && stopped == "" {
				stopped = fmt.Sprintf("not tried, because %s ended as %s", h.Name, r.Outcome)
			}
		}
	}
	wg.Wait()
	seen.warnOfUntracked()
	seen.finish()
	seen.warnOfLoss()
	report.Revision = seen.revision()
	report.Duration = time.Since(report.Started)
	report.Cancelled = ctx.Err() != nil
	return report
}

// skip is the work on a host that is not to be tried.
func skip(reason string) work {
	return func(_ context.Context, j *job) (Outcome, error) {
		j.set(func(r *Result) { r.Reason = reason })
		return Skipped, nil
	}
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
	j.keep()
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
// text saying what came of it, or none. With an error it is left out, unless it is that of an
// evaluation: it says why there was one.
func (j *job) step(ctx context.Context, s Step, limit *semaphore.Weighted, work func(context.Context) (string, error)) error {
	if limit != nil {
		if err := limit.Acquire(ctx, 1); err != nil {
			return j.stepError(s, context.Cause(ctx))
		}
		defer limit.Release(1)
	}
	ctx, end := stepSpan(ctx, j.host, s)
	return j.stepWithin(ctx, s, end, work)
}

// stepWithin is step in a span that is begun already: that of ctx, which end ends.
func (j *job) stepWithin(ctx context.Context, s Step, end endStep, work func(context.Context) (string, error)) error {
	usual, left := j.begins(s)
	j.emit(Event{Step: s, Kind: KindStarted, Usual: usual, Left: left})
	began := time.Now()
	text, err := work(ctx)
	took := time.Since(began)
	usage := j.usageOf(s)
	j.set(func(r *Result) { r.Steps = append(r.Steps, StepTime{s, began.Sub(j.started), took, usage}) })
	if stopped := (*stoppedError)(nil); errors.Is(err, errOtherHalfFailed) || errors.Is(err, errIncomplete) || errors.Is(err, errAlone) || errors.As(err, &stopped) {
		end(nil, true)
		j.emit(Event{Step: s, Kind: KindGivenUp, Duration: took})
		return err
	}
	if err != nil {
		err = j.stepError(s, err)
		end(err, false)
		if s != StepEvaluate {
			text = ""
		}
		j.emit(Event{Step: s, Kind: KindFailed, Text: text, Err: err, Cancelled: outcomeOf(ctx, err) == Cancelled, Duration: took})
		return err
	}
	end(nil, false)
	j.emit(Event{Step: s, Kind: KindDone, Text: text, Duration: took, Usage: usage, Left: j.ends(s, took)})
	return nil
}

func (j *job) progress(s Step, text string, done, expected int) {
	j.emit(Event{Step: s, Kind: KindProgress, Text: text, Done: done, Expected: expected})
}
func (j *job) log(s Step, text string)  { j.emit(Event{Step: s, Kind: KindLog, Text: text}) }
func (j *job) warn(s Step, text string) { j.emit(Event{Step: s, Kind: KindWarning, Text: text}) }
