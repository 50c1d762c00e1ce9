package sshpool

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// slots bounds the sessions of a host: to Config.MaxSessions, or to what the host
// has shown to allow by refusing one more.
type slots struct {
	*semaphore.Weighted
	mu    sync.Mutex
	limit int
}

func newSlots(limit int) *slots {
	return &slots{Weighted: semaphore.NewWeighted(int64(limit)), limit: limit}
}

// refused is told by the holder of a slot that the host opens no session more
// than those it has: slots that are free now are taken out of use, and so is the
// holder's own, unless it is the last. It reports whether the holder still has it.
func (s *slots) refused() (held bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.limit > 1 && s.TryAcquire(1) {
		s.limit--
	}
	if s.limit > 1 {
		s.limit--
		return false
	}
	return true
}

func (s *slots) most() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limit
}

// refusal waits until a session that the host refused to open is worth another
// try: at the end of one of our own, or after a moment where it is others', such
// as Nix's, that are in the way. It reports false when that has taken too long.
type refusal struct {
	left  time.Duration
	pause time.Duration
}

func newRefusal(c Config) refusal {
	return refusal{left: handshakeFactor * c.ConnectTimeout, pause: 50 * time.Millisecond}
}

func (r *refusal) wait(ctx context.Context, s *slots) (again, held bool) {
	if held = s.refused(); !held {
		held = s.Acquire(ctx, 1) == nil
		return held, held
	}
	if r.left <= 0 || !sleep(ctx, r.pause) {
		return false, true
	}
	r.left -= r.pause
	r.pause = min(2*r.pause, 400*time.Millisecond)
	return true, true
}

// sleep reports false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
