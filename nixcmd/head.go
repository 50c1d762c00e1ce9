package nixcmd

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// Head tells which commit the work tree that Config.Dir is in has checked out, and
// whether tracked files differ from it; "" before the first commit. Errors:
// ErrNoGit outside of a work tree, else *Error.
func (c *Client) Head(ctx context.Context) (commit string, dirty bool, err error) {
	const op = "find the commit"
	dir, err := filepath.Abs(c.cfg.Dir)
	if err != nil {
		return "", false, &Error{Op: op, ExitCode: -1, Err: err}
	}
	if !inWorkTree(dir) {
		return "", false, ErrNoGit
	}
	// git-status(1), "Porcelain Format Version 2": headers begin with #.
	out, err := c.git(ctx, op, proc.Cmd{}, "--no-optional-locks", "status", "--porcelain=v2", "--branch", "--untracked-files=no")
	for line := range strings.Lines(out) {
		switch oid, found := strings.CutPrefix(strings.TrimSpace(line), "# branch.oid "); {
		case found && objectName.MatchString(oid):
			commit = oid
		case !strings.HasPrefix(line, "#"):
			dirty = true
		}
	}
	return commit, dirty, err
}
