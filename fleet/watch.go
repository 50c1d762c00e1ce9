package fleet

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// watch tries a host's checks, each at its own interval, until they have passed.
type watch struct {
	checks []HealthCheck
	// once means that every check is tried once, and need succeed once.
	once bool
	// excused are the names of those that need not pass. They are not waited for
	// beyond excusedGrace.
	excused map[string]bool
	// here tries one check from here, there tries several on the host.
	here  func(context.Context, HealthCheck) verdict
	there func(context.Context, []HealthCheck) []verdict
	// passed is told of each check that has passed, changed of every try.
	passed  func(HealthResult)
	changed func(done int, waitingFor string)

	stop    context.CancelFunc
	began   time.Time
	mu      sync.Mutex
	results []HealthResult
	streaks []int
	// well is how many tries of each check went well.
	well []int
}

// excusedGrace is how long checks that need not pass are tried after the others
// could have passed, since most of them do once their service is up.
const excusedGrace = 5 * time.Second

// run tries the checks until they have passed or ctx is done.
func (w *watch) run(ctx context.Context) []HealthResult {
	ctx, w.stop = context.WithCancel(ctx)
	defer w.stop()
	w.began = time.Now()
	w.results, w.streaks, w.well = make([]HealthResult, len(w.checks)), make([]int, len(w.checks)), make([]int, len(w.checks))
	for i, c := range w.checks {
		w.results[i] = HealthResult{Check: c.Name, FailedBefore: w.excused[c.Name]}
	}
	var remote []int
	var wg sync.WaitGroup
	for i, c := range w.checks {
		if c.remote() {
			remote = append(remote, i)
			continue
		}
		wg.Go(func() {
			w.follow(ctx, []int{i}, func(ctx context.Context, c []HealthCheck) []verdict { return []verdict{w.here(ctx, c[0])} })
		})
	}
	wg.Go(func() { w.follow(ctx, remote, w.there) })
	wg.Wait()
	for i := range w.results {
		if r := &w.results[i]; !r.OK && w.well[i] > 0 {
			r.Answer += fmt.Sprintf("; %d of %d tries in %s went well, but never %d in a row", w.well[i], r.Tries, r.Duration.Round(time.Second), w.checks[i].successes())
			r.counted = true
		}
	}
	return w.results
}

// follow tries checks together, as far as they are due at the same time.
func (w *watch) follow(ctx context.Context, group []int, ask func(context.Context, []HealthCheck) []verdict) {
	next := make(map[int]time.Time, len(group))
	for !over(ctx) {
		group = slices.DeleteFunc(group, w.done)
		if len(group) == 0 {
			return
		}
		now := time.Now()
		var due []int
		var checks []HealthCheck
		wake := next[group[0]]
		for _, i := range group {
			if !next[i].After(now) {
				due, checks = append(due, i), append(checks, w.checks[i])
				next[i] = now.Add(w.checks[i].interval())
			} else if next[i].Before(wake) {
				wake = next[i]
			}
		}
		if len(due) == 0 {
			select {
			case <-time.After(wake.Sub(now)):
			case <-ctx.Done():
			}
			continue
		}
		for k, v := range ask(ctx, checks) {
			w.note(due[k], v, over(ctx))
		}
		w.settle()
	}
}

// over reports whether ctx is at its end. A connection has a timer of its own for
// the deadline, and may tell of it before ctx is done.
func over(ctx context.Context) bool {
	deadline, has := ctx.Deadline()
	return ctx.Err() != nil || has && !time.Now().Before(deadline)
}

// done reports whether a check needs no further try.
func (w *watch) done(i int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.results[i].OK || w.once && w.results[i].Tries > 0
}

// note takes in what a try gave. A failure of one that was cut short by the end
// of all says nothing, unless nothing is known at all.
func (w *watch) note(i int, v verdict, cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := &w.results[i]
	if cut && !v.ok {
		if r.Tries > 0 {
			return
		}
		v.text = "no answer yet"
	}
	r.Tries++
	r.Answer, r.Duration = v.text, time.Since(w.began)
	if v.ok {
		w.streaks[i]++
		w.well[i]++
	} else {
		w.streaks[i] = 0
	}
	if w.streaks[i] >= w.checks[i].successes() || w.once && v.ok {
		r.OK = true
		w.passed(*r)
	}
	passed, failing, again := 0, "", ""
	for i, r := range w.results {
		switch {
		case r.OK:
			passed++
		case r.Tries == 0:
		case w.streaks[i] == 0:
			failing = or(failing, r.Check+": "+r.Answer)
		default:
			again = or(again, r.Check+": "+r.Answer)
		}
	}
	w.changed(passed, or(failing, again))
}

// settle ends the watch once only checks are left that need not pass and have had
// their time.
func (w *watch) settle() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.results {
		if !r.OK && !r.FailedBefore {
			return
		}
	}
	if time.Since(w.began) >= excusedGrace {
		w.stop()
	}
}

// failedChecks says which checks failed.
type failedChecks struct {
	failed []HealthResult
	of     int
	hint   string
}

func (e *failedChecks) Error() string {
	names := make([]string, len(e.failed))
	for i, r := range e.failed {
		names[i] = r.Check
	}
	return fmt.Sprintf("%d of %s failed: %s", len(e.failed), countChecks(e.of), strings.Join(names, ", "))
}

func (e *failedChecks) Hint() string { return e.hint }

func (e *failedChecks) lines() []string {
	lines := make([]string, len(e.failed))
	for i, r := range e.failed {
		lines[i] = r.Check + ": " + r.Answer
		if r.Tries > 1 && !r.counted {
			lines[i] += fmt.Sprintf(" (the last of %d tries in %s)", r.Tries, r.Duration.Round(time.Second))
		}
	}
	return lines
}

func countChecks(n int) string {
	if n == 1 {
		return "1 check"
	}
	return fmt.Sprintf("%d checks", n)
}
