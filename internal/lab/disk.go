package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// FillDisk takes all but so many bytes of a machine's free space for its store
// (/nix), so that writing more fails with ENOSPC, for root too. The rest of its
// files are elsewhere. It holds through power cuts; a second call replaces the
// first. With leave 0 not a block is left; a store with less than leave free
// stays as it is.
func (l *Lab) FillDisk(ctx context.Context, machine string, leave int64) error {
	return l.disk(ctx, "fill disk", machine, func(path string) error {
		if leave < 0 {
			return &Error{Op: "fill disk", Machine: machine, Err: fmt.Errorf("%d bytes is out of range", leave), Fix: "use 0 or more"}
		}
		return fill(path, leave)
	})
}

// FreeDisk gives the space back. It is no error if none was taken.
func (l *Lab) FreeDisk(ctx context.Context, machine string) error {
	return l.disk(ctx, "free disk", machine, func(string) error { return nil })
}

// disk frees a machine's store and then calls fill with the path of the file
// that is to take its space. It lies beside the store's layer, not in it.
func (l *Lab) disk(ctx context.Context, op, machine string, fill func(path string) error) error {
	if err := checkMachine(op, machine); err != nil {
		return err
	}
	lock, err := l.lock(ctx)
	if err != nil {
		return fail(op, machine, err)
	}
	defer lock.unlock()
	store := l.path.machine(machine, "store")
	var st unix.Statfs_t
	if unix.Statfs(store, &st) != nil || st.Type != unix.EXT4_SUPER_MAGIC || !isMountPoint(store) {
		return &Error{Op: op, Machine: machine, Err: ErrNotRunning, Fix: "bring the lab up first"}
	}
	path := l.path.fill(machine)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail(op, machine, err)
	}
	return fail(op, machine, fill(path))
}

func isMountPoint(path string) bool {
	table, err := mountTable()
	if err != nil {
		return false
	}
	for _, m := range table {
		if m.point == path {
			return true
		}
	}
	return false
}

func (l layout) fill(machine string) string { return l.machine(machine, "store", "filled") }

// fill allocates blocks, which takes no time as nothing is written to them, in
// ever smaller steps, because a file system's own records need space as well.
func fill(path string, leave int64) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // nothing was written
	var size int64
	for step := int64(1) << 40; step >= 4096; {
		free, err := freeSpace(path)
		if err != nil {
			return err
		}
		step = min(step, free-leave)
		if step < 4096 {
			return nil
		}
		err = unix.Fallocate(int(f.Fd()), 0, size, step)
		switch {
		case errors.Is(err, unix.ENOSPC):
			step /= 2
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return err
		default:
			size += step
		}
		if info, err := f.Stat(); err == nil {
			size = max(size, info.Size())
		}
	}
	return nil
}

func freeSpace(path string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * st.Bsize, nil
}
