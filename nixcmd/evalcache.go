package nixcmd

import (
	"context"
	"sync"
)

// evalCaches keeps evaluators from getting in each other's way over Nix's
// evaluation cache. That is a database for each state of a flake, in which an
// evaluator has one transaction for as long as it runs. Up to Nix 2.30 another that
// writes waits for the end of that, and then evaluates without the cache; since 2.31 it
// does so at once (Nix, src/libexpr/eval-cache.cc, AttrDb; release notes of 2.31).
// So if one of several that run at once does not find its answer there, the others had
// better not look.
//
// The zero value is ready, and may be used concurrently.
type evalCaches struct {
	mu    sync.Mutex
	flake map[string]*evalCache
}

// evalCache is that of one flake, while evaluators of it run.
type evalCache struct {
	running int
	// known is closed once one of them is known to have found its answer, or not;
	// missed says that one did not.
	known  chan struct{}
	missed bool
}

// cacheUse is the part of one evaluator in that; nil is one that has none.
type cacheUse struct {
	of    *evalCaches
	ref   string
	cache *evalCache
	use   bool
	told  sync.Once
}

// enter is called before an evaluation of a flake, and leave after it. The first uses
// the cache. Those that come while others run wait until one of these has found its
// answer there, and use it too, or has not. The only error is that of ctx.
func (c *evalCaches) enter(ctx context.Context, ref string) (*cacheUse, error) {
	c.mu.Lock()
	e, others := c.flake[ref]
	if !others {
		e = &evalCache{known: make(chan struct{})}
		if c.flake == nil {
			c.flake = map[string]*evalCache{}
		}
		c.flake[ref] = e
	}
	e.running++
	c.mu.Unlock()
	u := &cacheUse{of: c, ref: ref, cache: e, use: true}
	if !others {
		return u, nil
	}
	select {
	case <-e.known:
	case <-ctx.Done():
		u.use = false
		u.leave()
		return nil, context.Cause(ctx)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	u.use = !e.missed
	return u, nil
}

func (u *cacheUse) used() bool { return u != nil && u.use }

// tell says whether the answer was in the cache, as soon as that is known. Only the
// first time counts.
func (u *cacheUse) tell(found bool) {
	if !u.used() {
		return
	}
	u.told.Do(func() {
		u.of.mu.Lock()
		defer u.of.mu.Unlock()
		u.cache.missed = u.cache.missed || !found
		select {
		case <-u.cache.known:
		default:
			close(u.cache.known)
		}
	})
}

func (u *cacheUse) leave() {
	u.tell(false) // if it came to nothing
	u.of.mu.Lock()
	defer u.of.mu.Unlock()
	if u.cache.running--; u.cache.running == 0 {
		delete(u.of.flake, u.ref)
	}
}
