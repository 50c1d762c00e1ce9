package fleet

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Whatever evaluations ask for memory, when they end and who gives up: together
// they never claim more than there is, unless one is alone; and all get their
// turn, in the order in which they asked.
func TestMemoryAdmission(t *testing.T) {
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 0))
			capacity := 1 + rnd.Int64N(1000)
			m := &memory{limit: capacity, places: rnd.IntN(4)}
			if seed%2 == 1 {
				m = &memory{available: func() int64 { return capacity + memoryReserve }, places: rnd.IntN(4)}
			}
			var mu sync.Mutex
			var claimed int64
			began := map[int]time.Time{}
			running, gone := 0, 0
			n := 1 + rnd.IntN(30)
			for i := range n {
				bytes, arrives, lasts := 1+rnd.Int64N(capacity*5/4), time.Duration(rnd.IntN(50)+1)*time.Millisecond, time.Duration(rnd.IntN(20))*time.Millisecond
				gaveUp := rnd.IntN(5) == 0
				time.Sleep(arrives)
				ctx, cancel := context.WithCancel(t.Context())
				if gaveUp {
					ctx, cancel = context.WithTimeout(t.Context(), 5*time.Millisecond)
				}
				go func() {
					defer cancel()
					c, err := m.acquire(ctx, bytes, nil)
					mu.Lock()
					if err != nil {
						defer mu.Unlock()
						gone++
						if !gaveUp || !errors.Is(err, context.DeadlineExceeded) {
							t.Errorf("%d: %v", i, err)
						}
						return
					}
					began[i] = time.Now()
					claimed += bytes
					running++
					if claimed > capacity && running > 1 {
						t.Errorf("seed %d: %d evaluations claim %d of %d", seed, running, claimed, capacity)
					}
					if alone := bytes > capacity; alone != (c.short > 0) {
						t.Errorf("seed %d: %d of %d, short is %d", seed, bytes, capacity, c.short)
					}
					mu.Unlock()
					time.Sleep(lasts)
					mu.Lock()
					claimed -= bytes
					running--
					mu.Unlock()
					c.release()
				}()
				synctest.Wait()
			}
			time.Sleep(time.Hour)
			mu.Lock()
			defer mu.Unlock()
			m.mu.Lock()
			defer m.mu.Unlock()
			var last time.Time
			for i := range n {
				if at, ok := began[i]; ok && at.Before(last) {
					t.Errorf("seed %d: the %dth was overtaken", seed, i)
				} else if ok {
					last = at
				}
			}
			if len(began)+gone != n {
				t.Errorf("seed %d: of %d began %d, and %d gave up", seed, n, len(began), gone)
			}
			if len(m.running)+len(m.queue) > 0 {
				t.Errorf("seed %d: %d run and %d wait at the end", seed, len(m.running), len(m.queue))
			}
		})
	}
}

// Others use the machine too: what is available is read anew, what those that
// run have taken by then is not counted twice, and one that waits notices when
// memory is set free although nothing of ours has ended.
func TestMemoryIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var available atomic.Int64
		available.Store(1000)
		m := &memory{available: func() int64 { return available.Load() + memoryReserve }}
		first, err := m.acquire(t.Context(), 600, nil)
		if err != nil || first.short != 0 {
			t.Fatal(first, err)
		}
		first.watch(func() int64 { return 600 })
		available.Store(300) // ours took 600, somebody else 100
		waits := false
		began := time.Now()
		go func() {
			time.Sleep(10 * time.Minute)
			available.Store(400)
		}()
		second, err := m.acquire(t.Context(), 400, func() { waits = true })
		if err != nil || !waits || second.short != 0 {
			t.Fatal(second, err, waits)
		}
		if took := time.Since(began); took < 10*time.Minute || took > 10*time.Minute+lookAgain {
			t.Errorf("it began after %v", took)
		}
	})
}

// Where nobody can tell what is available, nobody waits.
func TestMemoryUnknown(t *testing.T) {
	m := &memory{available: func() int64 { return 0 }}
	for range 3 {
		if c, err := m.acquire(t.Context(), 1<<50, nil); err != nil || c.short != 0 {
			t.Fatal(c, err)
		}
	}
}
