package lab

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// Compat runs a command like Exec, but with a newer Nix and its own store: in a
// second system, Debian's next release, that is not booted. It is in Control's
// network and shares Control's fleet checkout and SSH keys; Config.Flotilla is
// at FlotillaPath. Its image is built when it is first used. Control must be
// running.
func (l *Lab) Compat(ctx context.Context, o ExecOptions) (proc.Result, error) {
	if err := l.ensureCompat(ctx); err != nil {
		return proc.Result{Code: -1}, fail("start", compat, err)
	}
	return l.exec(ctx, compat, o)
}

func (l *Lab) ensureCompat(ctx context.Context) error {
	root := l.path.machine(compat, "root")
	lock, err := l.lock(ctx)
	if err != nil {
		return err
	}
	defer lock.unlock()
	if pid, err := l.leader(Control); err != nil || pid == 0 {
		return errors.Join(err, &Error{Op: "start", Machine: compat, Err: ErrNotRunning, Fix: "bring the lab up first"})
	}
	g, err := findGroup(l.path.name(compat))
	if err != nil {
		return err
	}
	if ready, err := g.find(idlePID); err != nil {
		return err
	} else if ready == 0 {
		if err := l.startCompat(ctx, g, root); err != nil {
			return err
		}
	}
	return l.placeFlotilla(root)
}

// idlePID is the number of the program in a container with a stub as process 1
// (systemd-nspawn(1), --as-pid2). It exists once everything is mounted.
const idlePID = 2

func (l *Lab) startCompat(ctx context.Context, g group, root string) error {
	s, err := loadState(l.path.state())
	if err != nil {
		return err
	}
	image, err := l.ensureImage(ctx, newer(), &s.Compat, &s)
	if err != nil {
		return err
	}
	if err := l.killContainer(ctx, compat); err != nil {
		return err
	}
	if err := l.mountMachine(ctx, compat, image); err != nil {
		return err
	}
	if err := l.writeFiles(compat); err != nil {
		return err
	}
	log := l.path.machine(compat, "console.log")
	control := l.path.machine(Control, "root")
	argv := l.container(compat, "--as-pid2", "--network-namespace-path="+netnsPath(l.path.name(Control)))
	for _, dir := range []string{FleetDir, "/root/.ssh"} {
		argv = append(argv, "--bind="+filepath.Join(control, dir)+":"+dir)
	}
	if err := g.start(ctx, log, append(argv, "--", "sleep", "infinity")...); err != nil {
		return err
	}
	for {
		if ready, err := g.find(idlePID); err != nil {
			return err
		} else if ready != 0 {
			return l.makeStore(ctx)
		}
		if pids, err := g.members(); err != nil {
			return err
		} else if len(pids) == 0 {
			return &Error{Op: "start", Machine: compat, Err: errors.New("it ended again: " + l.lastWords(compat)), Fix: "see " + log}
		}
		if err := pause(ctx, pollInterval); err != nil {
			return err
		}
	}
}

// makeStore makes the newer Nix's store before anything else uses it: Nix leaves
// one behind that it calls corrupt ever after if it is interrupted while it
// makes it (Nix, src/libstore/local-store.cc: the file "schema" is made empty
// first), and two that make it at once call it busy.
func (l *Lab) makeStore(ctx context.Context) error {
	_, err := l.exec(ctx, compat, ExecOptions{Argv: []string{"/bin/sh", "-c", makeStoreScript}, Dir: "/"})
	return err
}

const makeStoreScript = `set -eu
schema=/nix/var/nix/db/schema
[ -s "$schema" ] || rm -f "$schema"
nix-store --init`
