package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// monitoring is the recipe of what AddMonitoring adds: programs of the machines' own
// release, and what they read.
func monitoring() recipe {
	return recipe{
		suite: booted().suite, packages: []string{"prometheus", "prometheus-alertmanager", "prometheus-pushgateway"},
		unpack: []string{"usr/bin/prom*", "usr/share/prometheus"},
	}
}

// AddMonitoring gives a machine Debian's prometheus, promtool, prometheus-alertmanager
// and prometheus-pushgateway, in /usr/bin, and nothing of their packages but what they
// read. They are downloaded once (75 MB) and kept like an image, with which Down
// removes them. Nothing is started.
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
		// What runs there already keeps its file.
		return run(ctx, "cp", "--archive", "--remove-destination", "--no-target-directory",
			filepath.Join(l.imageDir(name), "root"), l.path.machine(machine, "root"))
	})
	return fail(op, machine, err)
}

// unpackImage fills a directory with what a recipe wants of its packages.
func (l *Lab) unpackImage(ctx context.Context, g group, r recipe, root string) error {
	l.log("downloading Debian's monitoring, once")
	full := root + ".all"
	if err := bootstrap(ctx, g, r, full); err != nil {
		return err
	}
	var kept []string
	for _, pattern := range r.unpack {
		found, err := filepath.Glob(filepath.Join(full, pattern))
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return fmt.Errorf("the packages have no %s", pattern)
		}
		kept = append(kept, found...)
	}
	for _, file := range kept {
		name, err := filepath.Rel(full, file)
		if err != nil {
			return err
		}
		to := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.Rename(file, to)); err != nil {
			return err
		}
	}
	return removeTree(full)
}
