package nixcmd

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// ErrNoGit says that a directory is in no Git work tree.
var ErrNoGit = errors.New("not in a Git work tree")

// TrackedFiles lists the files in Config.Dir and below it that Git tracks: what
// Nix sees of a flake there (manual, "nix flake", "git+file"). The names are
// relative to that directory and sorted. Files that were deleted but not yet from the index, and
// directories, as of submodules, are left out. Errors: ErrNoGit outside of a
// work tree, else *Error.
func (c *Client) TrackedFiles(ctx context.Context) ([]string, error) {
	dir, err := filepath.Abs(c.cfg.Dir)
	if err != nil {
		return nil, &Error{Op: "list the tracked files", ExitCode: -1, Err: err}
	}
	if !inWorkTree(dir) {
		return nil, ErrNoGit
	}
	argv := []string{"git", "ls-files", "-z", "--cached"}
	res, err := c.run(ctx, "list the tracked files", proc.Cmd{Argv: argv})
	var e *Error
	if errors.As(err, &e) && e.notFound {
		e.hint = "install git"
	}
	if err != nil {
		return nil, err
	}
	var files []string
	for name := range strings.SplitSeq(string(res.Stdout), "\x00") {
		if info, err := os.Stat(filepath.Join(dir, name)); name == "" || err == nil && info.IsDir() || errors.Is(err, os.ErrNotExist) {
			continue
		}
		files = append(files, name)
	}
	slices.Sort(files)
	return slices.Compact(files), nil // a file in conflict is listed several times
}

// inWorkTree reports whether dir or a directory above it has a .git.
func inWorkTree(dir string) bool {
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return true
		}
		if dir == filepath.Dir(dir) {
			return false
		}
	}
}
