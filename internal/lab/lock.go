package lab

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// pollInterval is how often conditions are looked at that nothing announces.
const pollInterval = 10 * time.Millisecond

// fileLock is held by an open file, so that the kernel releases it when its
// holder dies (flock(2)).
type fileLock struct{ file *os.File }

func (l *fileLock) unlock() {
	if l != nil {
		_ = l.file.Close() // releases it
	}
}

// lockFile waits for the lock at path, whose directory it makes, and calls
// waiting, if not nil, once if it has to wait.
func lockFile(ctx context.Context, path string, waiting func()) (*fileLock, error) {
	for {
		l, err := tryLockFile(path)
		if l != nil || err != nil {
			return l, err
		}
		if waiting != nil {
			waiting()
			waiting = nil
		}
		if err := pause(ctx, pollInterval); err != nil {
			return nil, err
		}
	}
}

// tryLockFile returns nil if another holds the lock.
func tryLockFile(path string) (*fileLock, error) {
	for {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, err
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the directory was removed in between
		}
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			_ = f.Close()
			if errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR) {
				return nil, nil
			}
			return nil, err
		}
		if sameFile(f, path) {
			return &fileLock{f}, nil
		}
		_ = f.Close() // its last holder removed it: lock the new one
	}
}

func sameFile(f *os.File, path string) bool {
	a, errA := f.Stat()
	b, errB := os.Stat(path)
	return errA == nil && errB == nil && os.SameFile(a, b)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
