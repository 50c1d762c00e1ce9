package lab

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"os"
	"sync"
)

//go:embed all:image
var embedded embed.FS

// Config says which lab is meant. Its files are kept in
// ${FLOTILLA_LAB_DIR:-${XDG_CACHE_HOME:-~/.cache}/flotilla/lab}, which must be
// on a file system that can hold the upper layer of an overlay (ext4, xfs,
// btrfs, tmpfs).
type Config struct {
	// Name tells labs apart: up to 30 lower-case letters, digits and hyphens.
	// Empty means a name made of the absolute path of Repo.
	Name string
	// Repo is the root of Flotilla's source tree. Lab.Latency builds its
	// helper from it.
	Repo string
	// Flotilla is a statically linked Flotilla binary, for Control to have at
	// FlotillaPath; Up, Exec and Compat replace it when it has changed. Empty
	// means none.
	Flotilla string
	// Log receives progress, one line at a time and never two at once; nil
	// means silence.
	Log func(string)

	// image is what to provision images with; nil means the embedded one.
	image fs.FS
}

// Lab is a lab that was up when this value was made. It may be used by several
// goroutines and several processes at the same time.
type Lab struct {
	cfg   Config
	path  layout
	image fs.FS
	logMu sync.Mutex
}

func newLab(cfg Config, op string) (*Lab, error) {
	path, err := newLayout(cfg)
	if err != nil {
		return nil, err
	}
	if os.Geteuid() != 0 {
		return nil, &Error{Op: op, Err: errors.New("containers need root"), Fix: "run it with sudo"}
	}
	l := &Lab{cfg: cfg, path: path, image: cfg.image}
	if l.image == nil {
		if l.image, err = fs.Sub(embedded, "image"); err != nil {
			return nil, fail(op, "", err)
		}
	}
	return l, nil
}

func (l *Lab) log(line string) {
	if l.cfg.Log == nil {
		return
	}
	l.logMu.Lock()
	defer l.logMu.Unlock()
	l.cfg.Log(line)
}

// lock serialises changes to the lab with those of other processes.
func (l *Lab) lock(ctx context.Context) (*fileLock, error) {
	return lockFile(ctx, l.path.lock(), func() { l.log("waiting for another process to finish with the lab") })
}

// Open returns the lab of an earlier Up. If none of its machines is running,
// the error satisfies errors.Is(err, ErrNotRunning).
func Open(ctx context.Context, cfg Config) (*Lab, error) {
	l, err := newLab(cfg, "open")
	if err != nil {
		return nil, err
	}
	for _, machine := range Machines() {
		pid, err := l.leader(machine)
		if err != nil {
			return nil, fail("open", machine, err)
		}
		if pid != 0 {
			return l, nil
		}
	}
	return nil, &Error{Op: "open", Err: ErrNotRunning, Fix: "bring it up first (go tool mage lab)"}
}

// Address returns a machine's IPv4 address, or "" if there is no such machine.
func (l *Lab) Address(machine string) string { return Address(machine) }

// Dir is the directory of everything this lab keeps, but for its image.
func (l *Lab) Dir() string { return l.path.dir() }

// each runs a function for several machines at once and returns all errors.
func each(machines []string, do func(machine string) error) error {
	errs := make([]error, len(machines))
	var wg sync.WaitGroup
	for i, machine := range machines {
		wg.Go(func() { errs[i] = do(machine) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
