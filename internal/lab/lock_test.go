package lab

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLockExcludesAndSurvivesRemoval(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dir", "lock")
	var inside, total atomic.Int32 // the race detector does not know flock
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				l, err := lockFile(t.Context(), path, nil)
				if err != nil {
					t.Error(err)
					return
				}
				if n := inside.Add(1); n != 1 {
					t.Errorf("%d holders at once", n)
				}
				runtime.Gosched()
				inside.Add(-1)
				// As Down does: the lock is its own to remove, but whoever waits may make
				// another before the directory goes.
				if total.Add(1)%3 == 0 {
					if err := os.Remove(path); err != nil {
						t.Error(err)
					}
					if err := os.Remove(filepath.Dir(path)); err != nil && !errors.Is(err, unix.ENOTEMPTY) {
						t.Error(err)
					}
				}
				l.unlock()
			}
		})
	}
	wg.Wait()
	if n := total.Load(); n != 40 {
		t.Errorf("got in %d times, want 40", n)
	}
}

func TestLockWaitCanBeCancelled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	l, err := lockFile(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.unlock()
	ctx, cancel := context.WithCancel(t.Context())
	_, err = lockFile(ctx, path, cancel) // as soon as it has to wait
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}
