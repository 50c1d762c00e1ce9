package recipes

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/magefile/mage/mg"

	"github.com/nixflotilla/flotilla/internal/ui"
	"github.com/nixflotilla/flotilla/nixcmd"
)

//go:embed hook.sh
var hookScript string

const hookName = "pre-commit"

// InstallHooks makes Git run preCommit before each commit of this repository (-uninstall: no more)
//
// The hook goes where Git looks for it. One that is not Flotilla's is left alone.
func InstallHooks(ctx context.Context, uninstall *bool) error {
	return promptly(ctx, func(ctx context.Context) error {
		nix, err := flakesGit()
		if err != nil {
			return err
		}
		repo, err := nix.Repository(ctx)
		if err != nil {
			return err
		}
		if err := ownHooks(repo); err != nil {
			return err
		}
		path := filepath.Join(repo.Hooks, hookName)
		done := "installed: "
		if is(uninstall) {
			done, err = removeHook(path)
		} else {
			err = writeHook(path, hookText(repo.Prefix, targetsProgram(repo.Top)), repo.Prefix)
		}
		if err != nil {
			return err
		}
		fmt.Fprintln(os.Stdout, ui.Harmless(done+path, onActions()))
		return nil
	})
}

// ownHooks refuses hooks that other repositories run as well.
func ownHooks(repo nixcmd.Repository) error {
	for _, own := range []string{repo.Top, repo.GitDir} {
		if inside, err := filepath.Rel(own, repo.Hooks); err == nil && filepath.IsLocal(inside) {
			return nil
		}
	}
	return fmt.Errorf("git looks for hooks in %s (core.hooksPath), outside of this repository, where others may use them too; "+
		"for hooks of its own: git config core.hooksPath %s", repo.Hooks, filepath.Join(repo.GitDir, "hooks"))
}

// hookText is the script for a flake in a directory of the repository, "" or with a
// slash at its end, and the program that has the targets, "" for Mage itself.
func hookText(flake, targets string) string {
	return strings.NewReplacer("@flake@", shellQuoted(flake), "@targets@", shellQuoted(targets)).Replace(hookScript)
}

// shellQuoted is text as one word of a POSIX shell.
func shellQuoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// targetsProgram is the program that is running, relative to the work tree if it
// is in it; "" if it is one that Mage made to run these targets, which it will do
// again.
func targetsProgram(top string) string {
	self, err := os.Executable()
	if err != nil {
		return ""
	}
	if self, err = filepath.EvalSymlinks(self); err != nil {
		return ""
	}
	cache := mg.CacheDir()
	if resolved, err := filepath.EvalSymlinks(cache); err == nil {
		cache = resolved
	}
	if made, err := filepath.Rel(cache, self); err == nil && filepath.IsLocal(made) {
		return ""
	}
	if below, err := filepath.Rel(top, self); err == nil && filepath.IsLocal(below) {
		return below
	}
	return self
}

// hookMarker is the line by which a hook is known as Flotilla's.
func hookMarker() string { return strings.Split(hookScript, "\n")[1] }

// isOurs reports whether there is a hook, and whether it is Flotilla's.
func isOurs(path string) (there, ours bool, err error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, false, nil
	case err != nil:
		return false, false, err
	case !info.Mode().IsRegular():
		return true, false, nil
	}
	content, err := os.ReadFile(path)
	return true, slices.Contains(strings.Split(string(content), "\n"), hookMarker()), err
}

// writeHook puts the script in place of an older one. flake is for what is said of
// a hook that is somebody else's.
func writeHook(path, script, flake string) error {
	there, ours, err := isOurs(path)
	if err != nil {
		return err
	}
	if there && !ours {
		line := "mage preCommit || exit 1"
		if flake != "" {
			line = "mage -d " + shellQuoted(flake) + " preCommit || exit 1"
		}
		return fmt.Errorf("%s is not Flotilla's and was left as it is; add this line to it: %s", path, line)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	// Whole or not at all: Git may be about to run it.
	next, err := os.CreateTemp(filepath.Dir(path), ".flotilla-*")
	if err != nil {
		return err
	}
	_, err = next.WriteString(script)
	err = errors.Join(err, next.Chmod(0o755), next.Close())
	if err == nil {
		err = os.Rename(next.Name(), path)
	}
	if err != nil {
		os.Remove(next.Name())
	}
	return err
}

// removeHook says what it did.
func removeHook(path string) (done string, err error) {
	there, ours, err := isOurs(path)
	switch {
	case err != nil:
		return "", err
	case !there:
		return "not installed: there is no ", nil
	case !ours:
		return "", fmt.Errorf("%s is not Flotilla's and was left as it is", path)
	}
	return "removed: ", os.Remove(path)
}
