package fleet

import (
	"context"
	"slices"
	"sync"
	"time"
)

// memory admits evaluations as far as there is memory for them, in the order in
// which they ask: none overtakes another, so that a large one is not starved. One
// that is alone always runs. (A semaphore.Weighted will not do: what is available
// changes, with what others do on the machine.)
type memory struct {
	// limit is what they may take together, in bytes; 0 means what is available.
	limit int64
	// available is how many bytes could be taken now; 0 if that is not known, and
	// then nobody waits.
	available func() int64
	// places is how many evaluations may run at once; 0 gives each no more memory
	// than it asks for.
	places int

	mu      sync.Mutex
	running []*claim
	queue   []*claim
}

const (
	// memoryReserve is what is left to others of the memory that is available.
	memoryReserve = 256 << 20
	// lookAgain is how often the available memory is read while an evaluation
	// waits for it: others may have set some free.
	lookAgain = time.Second
)

// claim is the memory of one evaluation.
type claim struct {
	of *memory
	// bytes is what it is expected to take in all, used how much of that it has
	// taken; nil if that is not known.
	bytes   int64
	used    func() int64
	granted chan struct{}
	// short is how many bytes were available if it runs although that is less
	// than it is expected to take; 0 if it fits.
	short int64
	// plain leaves the heap to Nix.
	plain bool
}

// acquire waits until bytes more fit beside what runs. While it waits, waiting
// is called once; nil means nobody is to know.
func (m *memory) acquire(ctx context.Context, bytes int64, waiting func()) (*claim, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	c := &claim{of: m, bytes: bytes, granted: make(chan struct{})}
	m.mu.Lock()
	m.queue = append(m.queue, c)
	m.admit()
	m.mu.Unlock()
	select {
	case <-c.granted:
		return c, nil
	default:
	}
	if waiting != nil {
		waiting()
	}
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for {
		select {
		case <-c.granted:
			return c, nil
		case <-ctx.Done():
			c.release()
			return nil, context.Cause(ctx)
		case <-again.C:
			m.mu.Lock()
			m.admit()
			m.mu.Unlock()
		}
	}
}

// admit starts, of those that wait, as many of the first as fit.
func (m *memory) admit() {
	for len(m.queue) > 0 {
		c := m.queue[0]
		free, bounded := m.free()
		switch {
		case !bounded:
		case c.bytes <= free:
			c.spread(free)
		case len(m.running) > 0:
			return
		default:
			c.short = max(free, 1)
		}
		m.queue = m.queue[1:]
		m.running = append(m.running, c)
		close(c.granted)
	}
}

// free is how much there is beside what those that run may still take.
func (m *memory) free() (bytes int64, bounded bool) {
	free := m.limit
	if free == 0 {
		if free = m.available(); free == 0 {
			return 0, false
		}
		free -= memoryReserve
	}
	for _, r := range m.running {
		var used int64
		if r.used != nil {
			used = r.used()
		}
		if m.limit == 0 {
			// What it uses is no longer available as it is.
			free -= max(0, r.bytes-used)
		} else {
			free -= max(r.bytes, used)
		}
	}
	return free, true
}

// watch tells how much of the claim is used, from now on.
func (c *claim) watch(used func() int64) {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	c.used = used
}

// release ends the claim, whether it was granted or not.
func (c *claim) release() {
	m := c.of
	m.mu.Lock()
	defer m.mu.Unlock()
	same := func(o *claim) bool { return o == c }
	m.running = slices.DeleteFunc(m.running, same)
	m.queue = slices.DeleteFunc(m.queue, same)
	m.admit()
}
