package sshpool

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// lockFile takes the flock(2) of the file at path, which is made if missing and
// never removed, since removing a locked file lets two holders in. A flock
// cannot be waited for with a context, so it is tried again and again. The lock
// ends with the holder's process at the latest: the descriptor is not inherited.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	const pause = 20 * time.Millisecond
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			_ = f.Close()
			return nil, &os.PathError{Op: "flock", Path: path, Err: err}
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, proc.Ended(ctx)
		case <-tick.C:
		}
	}
}
