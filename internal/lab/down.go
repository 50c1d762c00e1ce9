package lab

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// DownOptions says what Down leaves. The zero value leaves nothing.
type DownOptions struct {
	// KeepImage keeps the images, so that the next Up need not build one.
	KeepImage bool
}

// Down removes everything a lab is made of: processes, mounts, network and
// files, and also the images, unless they are to be kept or another lab stands
// on them. It does so for a lab that is complete, half made, crashed, or not
// there at all. The packages that Up installed stay.
func Down(ctx context.Context, cfg Config, o DownOptions) error {
	l, err := newLab(cfg, "down")
	if err != nil {
		return err
	}
	if err := l.removeLab(ctx); err != nil {
		return err
	}
	if !o.KeepImage {
		if err := l.dropImages(ctx, true); err != nil {
			return fail("down", "", err)
		}
	}
	for _, dir := range []string{l.path.labs(), l.path.images(), l.path.cache, l.path.parent} {
		_ = os.Remove(dir) // fails, rightly, unless it is empty
	}
	return nil
}

func (l *Lab) removeLab(ctx context.Context) error {
	lock, err := l.lock(ctx)
	if err != nil {
		return fail("down", "", err)
	}
	defer lock.unlock()
	if err := l.killContainer(ctx, compat); err != nil {
		return fail("down", compat, err)
	}
	err = each(Machines(), func(m string) error { return fail("down", m, l.halt(ctx, m)) })
	if err != nil {
		return err
	}
	return fail("down", "", errors.Join(deleteNetns(ctx, l.path.network()), l.removeDir()))
}

// removeDir removes the lab's directory, with the lock that is held last: from
// then on another process may make the lab anew.
func (l *Lab) removeDir() error {
	dir := l.path.dir()
	if err := unmountBelow(dir); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if path == l.path.lock() {
			continue
		}
		if err := removeTree(path); err != nil {
			return err
		}
	}
	if err := os.Remove(l.path.lock()); err != nil {
		return err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, syscall.ENOTEMPTY) {
		return err
	}
	return nil
}
