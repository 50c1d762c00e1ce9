package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// storeSize is the size of a machine's store. The file is sparse: it takes as
// much of this machine's disk as is written to it.
const storeSize = 8 << 30

// mountMachine makes a machine's files visible at its root, as far as they are
// not already.
func (l *Lab) mountMachine(ctx context.Context, machine, image string) error {
	at := func(elem ...string) string { return l.path.machine(machine, elem...) }
	table, err := mountTable()
	if err != nil {
		return err
	}
	mounted := func(point string) bool {
		return slices.ContainsFunc(table, func(m mount) bool { return m.point == point })
	}
	for _, dir := range []string{"root", "upper", "work", "store"} {
		mode := os.FileMode(0o755)
		if err := os.MkdirAll(at(dir), mode); err != nil {
			return err
		}
	}
	if !mounted(at("store")) {
		if err := makeStore(ctx, at("store.ext4")); err != nil {
			return err
		}
		// The kernel frees the loop device with the mount (losetup(8),
		// autoclear).
		err := run(ctx, "mount", "-t", "ext4", "-o", "loop,noatime,noinit_itable", at("store.ext4"), at("store"))
		if err != nil {
			return fmt.Errorf("mount the store: %w", err)
		}
		for _, dir := range []string{"upper", "work"} {
			if err := os.MkdirAll(at("store", dir), 0o755); err != nil {
				return err
			}
		}
	}
	if !mounted(at("root")) {
		if err := overlay(at("root"), filepath.Join(image, "root"), at("upper"), at("work")); err != nil {
			return err
		}
		mounted = func(string) bool { return false }
	}
	if !mounted(at("root", "nix")) {
		return overlay(at("root", "nix"), filepath.Join(image, "root", "nix"), at("store", "upper"), at("store", "work"))
	}
	return nil
}

// makeStore makes the file system of a store. Nothing is reserved for root:
// when it is full it is full for everybody.
func makeStore(ctx context.Context, file string) error {
	if _, err := os.Stat(file); err == nil {
		return nil
	}
	tmp := file + ".new"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(storeSize), f.Close()); err != nil {
		return err
	}
	err = run(ctx, "mkfs.ext4", "-q", "-F", "-m", "0", "-J", "size=16",
		"-E", "lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0", tmp)
	if err != nil {
		return err
	}
	return os.Rename(tmp, file)
}

func overlay(point, lower, upper, work string) error {
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", lower, upper, work)
	if err := unix.Mount("overlay", point, "overlay", 0, options); err != nil {
		return &Error{Op: "mount " + point, Err: err,
			Fix: "the lab's directory must be on ext4, xfs, btrfs or tmpfs: set FLOTILLA_LAB_DIR to one that is"}
	}
	return nil
}

// unmountBelow removes every mount at or below dir. What is still in use is
// detached, so that nothing can be reached through dir when this returns nil.
func unmountBelow(dir string) error {
	table, err := mountTable()
	if err != nil {
		return err
	}
	for _, point := range mountsBelow(dir, table) {
		err := unix.Unmount(point, 0)
		if errors.Is(err, unix.EBUSY) {
			err = unix.Unmount(point, unix.MNT_DETACH)
		}
		if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("unmount %s: %w", point, err)
		}
	}
	return nil
}

// removeTree removes dir after everything mounted below it, and refuses while
// anything still is: what is mounted there is not the lab's to delete.
func removeTree(dir string) error {
	if err := unmountBelow(dir); err != nil {
		return err
	}
	table, err := mountTable()
	if err != nil {
		return err
	}
	if points := mountsBelow(dir, table); len(points) > 0 {
		return fmt.Errorf("still mounted: %s", points[0])
	}
	return os.RemoveAll(dir)
}
