package fleet

import (
	"context"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// comparison compares the system that a host runs with the one that it is to run, as
// far as this machine's store has both, while the host is deployed. No deployment is
// slowed down for it, and it is waited for shortly at the end.
type comparison struct {
	stop context.CancelFunc
	done chan struct{}
	// What came of it, once done is closed. The closures are not kept: a host may wait for
	// its wave, and hundreds with it.
	diff    PackageDiff
	unknown string
}

// patienceAtEnd is how long a comparison may take longer than what it is beside.
const patienceAtEnd = time.Second

// compareBeside begins a comparison. What is known already is not asked again. know is
// told of sizes, and of what the host has, as copyProgress is.
func (j *job) compareBeside(ctx context.Context, s surveyed, know func(sizes map[nixcmd.StorePath]int64, there map[nixcmd.StorePath]bool)) *comparison {
	ctx, stop := context.WithCancel(ctx)
	c := &comparison{stop: stop, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		c.diff, c.unknown = j.compareHere(ctx, s, know)
	}()
	return c
}

// compareHere asks this machine's store alone.
func (j *job) compareHere(ctx context.Context, s surveyed, know func(sizes map[nixcmd.StorePath]int64, there map[nixcmd.StorePath]bool)) (d PackageDiff, unknown string) {
	wanted, live := s.closure, []nixcmd.PathInfo(nil)
	if s.stores != nil {
		wanted, live = s.stores.wanted, s.stores.live
		know(nil, s.stores.there())
	}
	var err error
	if wanted == nil {
		if wanted, err = j.aside(ctx, s.eval.Toplevel); err != nil {
			return d, "this machine's store did not tell"
		}
	}
	know(sizesOf(wanted), nil)
	if was := s.survey.liveToplevel(); live == nil && was != "" {
		if live, err = j.aside(ctx, was); err != nil {
			return d, "this machine's store does not have the system that ran before, or did not tell in time"
		}
	}
	if live == nil {
		return d, "the host ran no system before"
	}
	if s.stores == nil {
		there := make(map[nixcmd.StorePath]bool, len(live))
		for _, i := range live {
			there[i.Path] = true
		}
		know(nil, there)
	}
	return nixcmd.Diff(live, wanted), ""
}

// aside lists a closure while nobody waits for it.
func (j *job) aside(ctx context.Context, p nixcmd.StorePath) ([]nixcmd.PathInfo, error) {
	if err := j.fleet.stages.asides.Acquire(ctx, 1); err != nil {
		return nil, context.Cause(ctx)
	}
	defer j.fleet.stages.asides.Release(1)
	return j.fleet.nix.BackgroundClosure(ctx, p)
}

// end gives it up, and waits until it has ended.
func (c *comparison) end() {
	if c != nil {
		c.stop()
		<-c.done
	}
}

// packages waits for the comparison, but not for long. unknown says why there is none.
func (c *comparison) packages() (d PackageDiff, unknown string) {
	if c == nil {
		return d, "the system was not built here"
	}
	select {
	case <-c.done:
	case <-time.After(patienceAtEnd):
	}
	c.end()
	return c.diff, c.unknown
}

// changed sets what a deployment has changed, or tried to.
func (j *job) changed(s surveyed, packages func() (d PackageDiff, unknown string)) {
	d := &Difference{FreeBytes: s.survey.FreeBytes, Copy: j.copied, Units: j.units}
	d.Packages, d.PackagesUnknown = packages()
	j.set(func(r *Result) { r.Difference = d })
}
