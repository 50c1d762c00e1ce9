package lab

import (
	"context"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
)

// monitoring is the recipe of what AddMonitoring adds: programs of the machines' own
// release, which are only unpacked.
func monitoring() recipe {
	return recipe{suite: booted().suite, packages: []string{"prometheus", "prometheus-alertmanager", "prometheus-pushgateway"}, unpack: true}
}

// AddMonitoring gives a machine Debian's prometheus, promtool, prometheus-alertmanager
// and prometheus-pushgateway, in /usr/bin. They are downloaded once (some 80 MB) and
// kept like an image, with which Down removes them. Nothing is started.
func (l *Lab) AddMonitoring(ctx context.Context, machine string) error {
	const op = "add monitoring"
	if err := checkMachine(op, machine); err != nil {
		return err
	}
	r := monitoring()
	name, err := r.name(l.image)
	if err != nil {
		return fail(op, machine, err)
	}
	err = l.withImage(ctx, r, func() error {
		return copyPrograms(filepath.Join(l.imageDir(name), "root", programs), l.path.machine(machine, "root"))
	})
	return fail(op, machine, err)
}

// programs is where packages have what AddMonitoring adds.
const programs = "usr/bin"

// unpackImage fills a directory with the recipe's programs.
func (l *Lab) unpackImage(ctx context.Context, g group, r recipe, root string) error {
	l.log("downloading Debian's monitoring, once")
	full := root + ".all"
	if err := bootstrap(ctx, g, r, full); err != nil {
		return err
	}
	kept := filepath.Join(root, programs)
	if err := os.MkdirAll(kept, 0o755); err != nil {
		return err
	}
	found, err := filepath.Glob(filepath.Join(full, programs, "prom*"))
	if err != nil {
		return err
	}
	if len(found) < len(r.packages) {
		return errors.New("the packages lack programs that were looked for")
	}
	for _, file := range found {
		if err := os.Rename(file, filepath.Join(kept, filepath.Base(file))); err != nil {
			return err
		}
	}
	return removeTree(full)
}

// copyPrograms copies the files of a directory into a machine's.
func copyPrograms(from, machineRoot string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(machineRoot)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // a directory handle
	for _, e := range entries {
		if _, err := root.Stat(path.Join(programs, e.Name())); err == nil {
			continue
		}
		if err := copyProgram(filepath.Join(from, e.Name()), root, path.Join(programs, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func copyProgram(from string, root *os.Root, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }() // read only
	tmp := to + ".new"
	dst, err := root.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	if err = errors.Join(err, dst.Chmod(0o755), dst.Close()); err == nil {
		err = root.Rename(tmp, to)
	}
	return err
}
