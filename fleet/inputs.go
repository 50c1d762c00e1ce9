package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// LockedInput is what flake.lock pins an input to.
type LockedInput = nixcmd.LockedInput

// InputChange is an input that an update changed.
type InputChange struct {
	// Name is its path in flake.lock: "nixpkgs", "home-manager/nixpkgs".
	Name string
	// Old and New are what it was and is pinned to; nil where there is none.
	Old, New *LockedInput
}

// InputUpdate is what came of Fleet.UpdateInput.
type InputUpdate struct {
	// Changes are sorted by name; nil if everything was as new as can be.
	Changes []InputChange
	// Current is what the inputs that were asked for are pinned to now, by name.
	Current map[string]LockedInput
	// WasDirty reports whether flake.lock had uncommitted changes before. They
	// are kept.
	WasDirty bool
}

const lockName = "flake.lock"

// ErrLockChanged says that an update failed and flake.lock could not be put back.
var ErrLockChanged = errors.New(lockName + " is changed and could not be put back")

// AllInputs is the name that stands for all inputs.
const AllInputs = "*"

// UpdateInput writes the newest version of an input, or of AllInputs, to
// flake.lock. Nothing is committed or built. If it fails or ctx ends before, the
// file is as it was. Errors are *ConfigError for a lock or an input that is not
// there, and those of nixcmd.Client.UpdateInputs.
func (f *Fleet) UpdateInput(ctx context.Context, name string) (InputUpdate, error) {
	path := filepath.Join(f.Inventory.Dir, lockName)
	before, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return InputUpdate{}, &ConfigError{File: path, Problem: "there is none yet", Help: "`nix flake lock` makes it", Err: err}
	case err != nil:
		return InputUpdate{}, &ConfigError{File: path, Problem: "cannot be read: " + err.Error(), Err: err}
	}
	old, err := nixcmd.ParseLock(before)
	if err != nil {
		return InputUpdate{}, &ConfigError{File: path, Problem: err.Error(), Err: err}
	}
	names, err := inputNames(path, old, name)
	if err != nil {
		return InputUpdate{}, err
	}
	var u InputUpdate
	if u.WasDirty, err = f.nix.Uncommitted(ctx, lockName); err != nil {
		return InputUpdate{}, err
	}
	restore := func(err error) (InputUpdate, error) {
		if now, readErr := os.ReadFile(path); readErr == nil && bytes.Equal(now, before) {
			return InputUpdate{}, err
		}
		if writeErr := replaceFile(path, before); writeErr != nil {
			return InputUpdate{}, fmt.Errorf("%w: %w; and then %w", ErrLockChanged, writeErr, err)
		}
		return InputUpdate{}, err
	}
	if err := f.nix.UpdateInputs(ctx, names); err != nil {
		return restore(err)
	}
	after, err := os.ReadFile(path)
	if err != nil {
		return restore(err)
	}
	now, err := nixcmd.ParseLock(after)
	if err != nil {
		return restore(&ConfigError{File: path, Problem: "Nix wrote what cannot be read: " + err.Error(), Err: err})
	}
	u.Changes = lockChanges(old.Inputs, now.Inputs)
	u.Current = map[string]LockedInput{}
	for path, in := range now.Inputs {
		if slices.Contains(names, path) || len(names) == 0 && !strings.Contains(path, "/") {
			u.Current[path] = in
		}
	}
	return u, nil
}

// inputNames are the names for Nix: none for all.
func inputNames(path string, lock nixcmd.Lock, name string) ([]string, error) {
	if name == AllInputs {
		return nil, nil
	}
	if _, ok := lock.Inputs[name]; ok {
		return []string{name}, nil
	}
	if to, ok := lock.Follows[name]; ok {
		return nil, &ConfigError{File: path, Problem: fmt.Sprintf("the input %q follows %q", name, to), Help: "update that one"}
	}
	var known []string
	for n := range lock.Inputs {
		if !strings.Contains(n, "/") || strings.Contains(name, "/") {
			known = append(known, n)
		}
	}
	slices.Sort(known)
	return nil, &ConfigError{File: path, Problem: fmt.Sprintf("there is no input %q", name), Help: or(didYouMean(name, known), "the flake has no inputs")}
}

// lockChanges compares two locks' inputs.
func lockChanges(before, after map[string]LockedInput) []InputChange {
	all := maps.Clone(before)
	maps.Copy(all, after)
	var changes []InputChange
	for _, name := range slices.Sorted(maps.Keys(all)) {
		was, had := before[name]
		is, has := after[name]
		if had && has && was == is {
			continue
		}
		c := InputChange{Name: name}
		if had {
			c.Old = &was
		}
		if has {
			c.New = &is
		}
		changes = append(changes, c)
	}
	return changes
}

// replaceFile writes a file so that there is never half of it.
func replaceFile(path string, data []byte) error {
	info, err := os.Stat(path)
	mode := fs.FileMode(0o644)
	if err == nil {
		mode = info.Mode().Perm()
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".flotilla-*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Chmod(mode), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}
