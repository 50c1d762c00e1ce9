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
	// wanted and live are their closures; nil if that is not known.
	wanted, live []nixcmd.PathInfo
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
		if c.wanted = s.closure; s.stores != nil {
			c.wanted, c.live = s.stores.wanted, s.stores.live
		}
		var err error
		if c.wanted == nil {
			if c.wanted, err = j.fleet.nix.BackgroundClosure(ctx, s.eval.Toplevel); err != nil {
				return
			}
		}
		know(sizesOf(c.wanted), nil)
		if s.stores != nil {
			know(nil, s.stores.there())
		}
		live := s.survey.liveToplevel()
		if live == "" || c.live != nil {
			return
		}
		if c.live, err = j.fleet.nix.BackgroundClosure(ctx, live); err != nil {
			c.live = nil
			return
		}
		if s.stores == nil {
			there := make(map[nixcmd.StorePath]bool, len(c.live))
			for _, i := range c.live {
				there[i.Path] = true
			}
			know(nil, there)
		}
	}()
	return c
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
	switch {
	case c.wanted == nil:
		return d, "this machine's store did not tell"
	case c.live == nil:
		return d, "this machine's store does not have the system that ran before, or did not tell in time"
	}
	return nixcmd.Diff(c.live, c.wanted), ""
}

// changed sets what a deployment has changed, or tried to.
func (j *job) changed(s surveyed, packages func() (d PackageDiff, unknown string)) {
	d := &Difference{FreeBytes: s.survey.FreeBytes, Copy: j.copied, Units: j.units}
	d.Packages, d.PackagesUnknown = packages()
	j.set(func(r *Result) { r.Difference = d })
}
