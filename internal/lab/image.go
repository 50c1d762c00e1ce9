package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// ensureImage returns the directory of the image that *current, a field of s,
// names, or of the recipe's own after having built it and recorded it in s. A
// lab keeps the image it was made with: its machines' files are a layer on it.
func (l *Lab) ensureImage(ctx context.Context, r recipe, current *string, s *state) (string, error) {
	name, err := r.name(l.image)
	if err != nil {
		return "", err
	}
	if *current != "" {
		if !l.imageComplete(*current) {
			return "", &Error{Op: "find the image", Err: errors.New("gone: " + l.imageDir(*current)),
				Fix: "take the lab down and bring it up again"}
		}
		if *current != name {
			l.log("this lab was made from an older recipe; take it down and up again for the new one")
		}
		return l.imageDir(*current), nil
	}
	err = l.withImage(ctx, r, func() error {
		// Recorded while nobody can drop it.
		*current = name
		return s.save(l.path.state())
	})
	if err != nil {
		return "", err
	}
	return l.imageDir(name), l.dropImages(ctx, false)
}

// withImage calls use while the recipe's image, which it builds if need be, is
// there and stays there.
func (l *Lab) withImage(ctx context.Context, r recipe, use func() error) error {
	name, err := r.name(l.image)
	if err != nil {
		return err
	}
	lock, err := lockFile(ctx, l.imageLock(name), func() { l.log("waiting for another process to build the image") })
	if err != nil {
		return err
	}
	defer lock.unlock()
	if !l.imageComplete(name) {
		if err := l.buildImage(ctx, r, name); err != nil {
			return err
		}
	}
	return use()
}

func (l *Lab) imageDir(name string) string  { return filepath.Join(l.path.images(), name) }
func (l *Lab) imageLock(name string) string { return filepath.Join(l.path.images(), "."+name+".lock") }

// imageComplete is true for what buildImage has renamed into place.
func (l *Lab) imageComplete(name string) bool {
	info, err := os.Stat(filepath.Join(l.imageDir(name), "root"))
	return err == nil && info.IsDir()
}

// buildImage must be called with the image's lock held.
func (l *Lab) buildImage(ctx context.Context, r recipe, name string) error {
	g, err := findGroup(l.path.imageGroup(name))
	if err != nil {
		return err
	}
	tmp := filepath.Join(l.path.images(), "."+name+".new")
	root := filepath.Join(tmp, "root")
	clean := func(ctx context.Context) error {
		return errors.Join(g.kill(ctx), cleanNspawn(root, l.path.imageGroup(name)), removeTree(tmp))
	}
	if err := clean(ctx); err != nil { // of a build that was killed
		return err
	}
	if err := l.fillImage(ctx, g, r, root, l.path.imageGroup(name)); err != nil {
		return errors.Join(err, clean(context.WithoutCancel(ctx)))
	}
	if err := errors.Join(g.kill(ctx), cleanNspawn(root, l.path.imageGroup(name)), unmountBelow(tmp)); err != nil {
		return err
	}
	return os.Rename(tmp, l.imageDir(name))
}

func (l *Lab) fillImage(ctx context.Context, g group, r recipe, root, name string) error {
	if r.provision {
		return l.provision(ctx, g, r, root, name)
	}
	if len(r.unpack) > 0 {
		return l.unpackImage(ctx, g, r, root)
	}
	l.log("building an image from Debian " + r.suite + ", once; this takes about a minute")
	if err := bootstrap(ctx, g, r, root); err != nil {
		return err
	}
	return runUnbooted(ctx, g, root, name, baseScript, "/bin/sh", "-s")
}

// bootstrap makes a Debian system, or unpacks what the recipe wants of one.
func bootstrap(ctx context.Context, g group, r recipe, root string) error {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	settings, err := fetchSettings(ctx)
	if err != nil {
		return err
	}
	conf := filepath.Join(filepath.Dir(root), "apt.conf")
	if err := os.WriteFile(conf, []byte(settings), 0o600); err != nil {
		return err
	}
	argv := append([]string{"mmdebstrap"}, r.bootstrapOptions()...)
	argv = append(argv, "--aptopt="+conf, "--include="+strings.Join(r.packages, ","), r.suite, root, "-")
	// A build that is killed leaves its temporary files, which must be where
	// the next one finds them.
	tmp := filepath.Join(filepath.Dir(root), "tmp")
	if err := os.Mkdir(tmp, 0o700); err != nil {
		return err
	}
	// The mirror goes in by standard input, for its URI may hold a password.
	source := r.sourceLine(debianMirror(os.DirFS("/")))
	res, err := g.run(ctx, proc.Cmd{Argv: argv, Stdin: strings.NewReader(source), Env: []string{"TMPDIR=" + tmp}})
	if err := explained(ctx, "build the image", res, err); err != nil {
		return err
	}
	return errors.Join(os.Remove(conf), os.RemoveAll(tmp))
}

func (l *Lab) provision(ctx context.Context, g group, r recipe, root, name string) error {
	base, err := r.base().name(l.image)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(root), 0o755); err != nil {
		return err
	}
	err = l.withImage(ctx, r.base(), func() error {
		return run(ctx, "cp", "--archive", "--reflink=auto", filepath.Join(l.imageDir(base), "root"), filepath.Dir(root))
	})
	if err != nil {
		return err
	}
	l.log("provisioning the machines' image")
	if err := copyFiles(l.image, filepath.Join(root, provisionDir)); err != nil {
		return err
	}
	return runUnbooted(ctx, g, root, name, "", "/bin/sh", provisionDir+"/provision.sh")
}

func runUnbooted(ctx context.Context, g group, root, name, stdin string, argv ...string) error {
	res, err := g.run(ctx, proc.Cmd{
		Argv:  append(append(nspawn(root, name), "--private-network", "--pipe", "--"), argv...),
		Stdin: strings.NewReader(stdin),
	})
	return explained(ctx, "prepare the image", res, err)
}

// explained adds the end of what a command said to its error.
func explained(ctx context.Context, op string, res proc.Result, err error) error {
	var failed *proc.Error
	if errors.As(err, &failed) && ctx.Err() == nil {
		return &Error{Op: op, Err: fmt.Errorf("exit code %d: %s", failed.Code, complaint(res.Stderr))}
	}
	return err
}

// complaint is the end of what a script said, without systemd-nspawn's own
// notice on its way out, which older versions print in vain.
func complaint(stderr []byte) string {
	lines := strings.Split(strings.TrimSpace(string(stderr)), "\n")
	lines = slices.DeleteFunc(lines, func(line string) bool {
		return strings.HasPrefix(line, "Attempted to remove disk file system")
	})
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}

// copyFiles copies a tree, making what looks like a script executable, since an
// embedded file system knows no modes.
func copyFiles(files fs.FS, to string) error {
	return fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, filepath.FromSlash(path))
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		data, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		mode := os.FileMode(0o644)
		if strings.HasPrefix(string(data), "#!") {
			mode = 0o755
		}
		return os.WriteFile(target, data, mode)
	})
}

// dropImages removes the images that no lab stands on; unless all is set, it
// spares those of the current recipes, for the next lab.
func (l *Lab) dropImages(ctx context.Context, all bool) error {
	entries, err := os.ReadDir(l.path.images())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var spare []string
	if !all {
		for _, r := range []recipe{booted(), booted().base(), newer(), monitoring()} {
			name, err := r.name(l.image)
			if err != nil {
				return err
			}
			spare = append(spare, name)
		}
	}
	var names []string
	for _, e := range entries {
		name := strings.TrimPrefix(e.Name(), ".")
		name, _, _ = strings.Cut(name, ".")
		if !slices.Contains(names, name) && !slices.Contains(spare, name) {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if err := l.dropImage(ctx, name); err != nil {
			return fmt.Errorf("remove image %s: %w", name, err)
		}
	}
	return nil
}

func (l *Lab) dropImage(ctx context.Context, name string) error {
	lock, err := tryLockFile(l.imageLock(name))
	if err != nil || lock == nil {
		return err // somebody is building or about to use it
	}
	defer lock.unlock()
	if used, err := l.imageUsed(name); err != nil || used {
		return err
	}
	g, err := findGroup(l.path.imageGroup(name))
	if err != nil {
		return err
	}
	half := filepath.Join(l.path.images(), "."+name+".new")
	if err := errors.Join(g.kill(ctx), cleanNspawn(filepath.Join(half, "root"), l.path.imageGroup(name)), removeTree(half)); err != nil {
		return err
	}
	// Renamed first, so that a half-removed image is not taken for a whole one.
	if err := os.Rename(l.imageDir(name), half); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return errors.Join(removeTree(half), os.Remove(l.imageLock(name)))
}

func (l *Lab) imageUsed(name string) (bool, error) {
	paths, err := filepath.Glob(filepath.Join(l.path.labs(), "*", "state.json"))
	if err != nil {
		return false, err
	}
	for _, path := range paths {
		s, err := loadState(path)
		if err != nil {
			return false, err
		}
		if s.Image == name || s.Compat == name {
			return true, nil
		}
	}
	return false, nil
}
