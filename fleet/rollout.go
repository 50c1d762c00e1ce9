package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Rollout says in which order a fleet is deployed to, and when to stop. The zero
// value is all hosts at once, whatever becomes of any.
type Rollout struct {
	// Waves are selectors, as in Inventory.Select. A host belongs to the first
	// that names it; hosts that none names come last, together.
	Waves []string
	// MaxFailures is how many hosts may not end well before no further host is
	// started; nil means no limit.
	MaxFailures *int
	// Pause is the time between the end of one wave and the beginning of the
	// next; 0 for none.
	Pause time.Duration

	// at is where Waves stand.
	at position
}

// Plan divides hosts into the waves in which they are deployed to. Each host is
// in exactly one, in the order given; waves that none is in are left out.
func (r Rollout) Plan(hosts []Host) [][]Host {
	waves := make([][]Host, len(r.Waves)+1)
	for _, h := range hosts {
		i := 0
		for i < len(r.Waves) && !names(r.Waves[i], h) {
			i++
		}
		waves[i] = append(waves[i], h)
	}
	var out [][]Host
	for _, w := range waves {
		if len(w) > 0 {
			out = append(out, w)
		}
	}
	return out
}

// names reports whether a selector names a host, by the rules of
// Inventory.Select. One that is not valid names nobody.
func names(selector string, h Host) bool {
	one := &Inventory{Hosts: []Host{h}}
	positive, taken := false, false
	for _, term := range terms(selector) {
		name, negative := strings.CutPrefix(term, "!")
		_, err := one.match(selector, name)
		switch {
		case negative && err == nil:
			return false
		case !negative:
			positive = true
			taken = taken || err == nil
		}
	}
	return taken || !positive
}

// gate holds back the activations of later waves, and of all hosts once too many
// have not ended well. Everything before an activation passes by it.
type gate struct {
	pause time.Duration
	limit int // negative: none
	wave  map[string]int
	// over is closed for each wave once all its hosts have ended.
	over []chan struct{}
	// stop keeps any further host from being started.
	stop context.CancelCauseFunc

	mu       sync.Mutex
	waves    [][]Host
	left     []int
	begun    []bool
	ended    []time.Time
	failures []string
}

// newGate returns a gate for the hosts, and the context of what is still to be
// started.
func newGate(ctx context.Context, r Rollout, hosts []Host) (*gate, context.Context) {
	ctx, stop := context.WithCancelCause(ctx)
	g := &gate{pause: r.Pause, limit: -1, wave: map[string]int{}, stop: stop, waves: r.Plan(hosts)}
	if r.MaxFailures != nil {
		g.limit = *r.MaxFailures
	}
	for i, w := range g.waves {
		for _, h := range w {
			g.wave[h.Name] = i
		}
		g.over = append(g.over, make(chan struct{}))
		g.left = append(g.left, len(w))
	}
	g.begun, g.ended = make([]bool, len(g.waves)), make([]time.Time, len(g.waves))
	return g, ctx
}

// enter returns once the host may be activated, or with ctx's cause.
func (g *gate) enter(ctx context.Context, j *job) error {
	mine := g.wave[j.host.Name]
	if g.open(mine) <= 0 {
		if err := g.begin(ctx, mine); err != nil {
			return j.stepError(StepWait, err)
		}
		return nil
	}
	return j.step(ctx, StepWait, nil, func(ctx context.Context) (string, error) {
		for i := range mine {
			j.progress(StepWait, fmt.Sprintf("for wave %d of %d: %s", i+1, len(g.waves), hostNames(g.waves[i])), 0, 0)
			select {
			case <-g.over[i]:
			case <-ctx.Done():
				return "", context.Cause(ctx)
			}
		}
		if rest := g.open(mine); rest > 0 {
			j.progress(StepWait, fmt.Sprintf("%s before wave %d of %d", g.pause, mine+1, len(g.waves)), 0, 0)
			select {
			case <-time.After(rest):
			case <-ctx.Done():
				return "", context.Cause(ctx)
			}
		}
		return fmt.Sprintf("wave %d of %d", mine+1, len(g.waves)), g.begin(ctx, mine)
	})
}

// begin notes that a host of a wave is being activated, unless none may be any
// more.
func (g *gate) begin(ctx context.Context, wave int) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	g.begun[wave] = true
	return nil
}

// open is how long until a wave may begin: not above 0 if it may, and more than
// any time as long as an earlier one is not over. A wave in which nothing was
// activated is not paused after.
func (g *gate) open(wave int) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	var last time.Time
	for i := range wave {
		if g.left[i] > 0 {
			return 1<<63 - 1
		}
		if g.begun[i] && g.ended[i].After(last) {
			last = g.ended[i]
		}
	}
	if last.IsZero() {
		return 0
	}
	return time.Until(last.Add(g.pause))
}

// leave notes what became of a host, whether it came to the gate or not.
func (g *gate) leave(h Host, outcome Outcome) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !outcome.OK() && outcome != Skipped && outcome != Cancelled {
		g.fail(fmt.Sprintf("%s ended as %s", h.Name, outcome))
	}
	i := g.wave[h.Name]
	if g.left[i]--; g.left[i] == 0 {
		g.ended[i] = time.Now()
		close(g.over[i])
	}
}

// fail counts a failure, and stops the rollout if it is one too many.
func (g *gate) fail(what string) {
	g.failures = append(g.failures, what)
	if g.limit >= 0 && len(g.failures) > g.limit {
		g.stop(&stoppedError{fmt.Sprintf("not tried, because %s (rollout.max-failures is %d)", strings.Join(g.failures, " and "), g.limit)})
	}
}

// deployInWaves deploys to all hosts at once, up to where the rollout holds their
// activations back.
func (f *Fleet) deployInWaves(ctx context.Context, hosts []Host, opt DeployOptions) *Report {
	g, starting := newGate(ctx, f.Inventory.Rollout, hosts)
	defer g.stop(nil)
	return f.runIn(ctx, AtOnce, hosts, g.behind(starting, func(ctx context.Context, j *job) (Outcome, error) { return j.deploy(ctx, opt) }))
}

// behind is work behind a gate: it is done in the context starting, and told to
// the gate when it has ended.
func (g *gate) behind(starting context.Context, do work) work {
	return func(ctx context.Context, j *job) (outcome Outcome, err error) {
		j.gate = g
		outcome, err = do(starting, j)
		var stopped *stoppedError
		if errors.As(err, &stopped) || errors.Is(err, errNeverStarted) && errors.As(context.Cause(starting), &stopped) {
			outcome, err = skip(stopped.text)(ctx, j)
		}
		g.leave(j.host, or(outcome, outcomeOf(ctx, err)))
		return outcome, err
	}
}

// stoppedError says why no further host is started.
type stoppedError struct{ text string }

func (e *stoppedError) Error() string { return e.text }

func hostNames(hosts []Host) string {
	all := make([]string, len(hosts))
	for i, h := range hosts {
		all[i] = h.Name
	}
	return strings.Join(all, ", ")
}
