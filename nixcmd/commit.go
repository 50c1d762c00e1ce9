package nixcmd

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// Repository is the Git work tree that a directory is in.
type Repository struct {
	// Top is the absolute path of the work tree's root, Prefix that of the
	// directory below it: "" for the root itself, else with a slash at its end.
	Top, Prefix string
	// GitDir is where the repository keeps what all its work trees share, Hooks
	// where Git looks for hooks; both are absolute.
	GitDir, Hooks string
	// Shallow says that the oldest commits are missing here.
	Shallow bool
}

// Repository describes the work tree that Config.Dir is in. Errors: ErrNoGit
// outside of one, else *Error.
func (c *Client) Repository(ctx context.Context) (Repository, error) {
	const op = "find the Git work tree"
	dir, err := filepath.Abs(c.cfg.Dir)
	if err != nil {
		return Repository{}, &Error{Op: op, ExitCode: -1, Err: err}
	}
	if !inWorkTree(dir) {
		return Repository{}, ErrNoGit
	}
	here, err := c.git(ctx, op, proc.Cmd{}, "rev-parse", "--show-toplevel", "--show-prefix", "--is-shallow-repository")
	if err != nil {
		return Repository{}, err
	}
	lines := strings.Split(strings.TrimSuffix(here, "\n"), "\n")
	if len(lines) != 3 {
		return Repository{}, &Error{Op: op, ExitCode: -1, Err: fmt.Errorf("its path holds a line feed: %q", here)}
	}
	r := Repository{Top: lines[0], Prefix: lines[1], Shallow: lines[2] == "true"}
	// In the root: from below, a relative core.hooksPath would be that of no hook.
	paths, err := c.git(ctx, op, proc.Cmd{Dir: r.Top}, "rev-parse", "--git-common-dir", "--git-path", "hooks")
	if err != nil {
		return Repository{}, err
	}
	common, hooks, _ := strings.Cut(strings.TrimSuffix(paths, "\n"), "\n")
	r.GitDir, r.Hooks = below(r.Top, common), below(r.Top, hooks)
	return r, nil
}

// below is a path that may be relative to dir.
func below(dir, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}

// Commit is a commit of the repository that Config.Dir is in.
type Commit struct {
	// ID is its full name in hexadecimal, Tree that of the files it has.
	ID, Tree string

	in Repository
}

// FlakeRef is the flake in Config.Dir as the commit has it.
//
// Nix reads a commit of a local repository from the repository itself, also one
// that no branch leads to (seen with 2.26 and 2.34). It wants to be told that a
// repository is shallow, and asks a linked work tree in vain for its HEAD unless
// a ref is given.
func (c Commit) FlakeRef() string {
	ref := "git+file://" + (&url.URL{Path: c.in.Top}).EscapedPath() + "?ref=HEAD&rev=" + c.ID
	if c.in.Prefix != "" {
		// Nix knows "+" only as itself.
		dir := url.QueryEscape(strings.TrimSuffix(c.in.Prefix, "/"))
		ref += "&dir=" + strings.NewReplacer("+", "%20", "%2F", "/").Replace(dir)
	}
	if c.in.Shallow {
		ref += "&shallow=1"
	}
	return ref
}

var objectName = regexp.MustCompile(`^[0-9a-f]{40,64}$`)

// Commit finds the commit that a revision names (gitrevisions(7)); a range names
// none. Errors: ErrNoGit, else *Error with what Git says.
func (c *Client) Commit(ctx context.Context, rev string) (Commit, error) {
	repo, err := c.Repository(ctx)
	if err != nil {
		return Commit{}, err
	}
	op := fmt.Sprintf("find the commit %q", abbreviated(rev))
	if strings.HasPrefix(rev, "-") { // which Git has ideas of its own about
		return Commit{}, &Error{Op: op, Argv: []string{"git"}, ExitCode: -1, Err: errors.New("a revision does not begin with -")}
	}
	out, err := c.git(ctx, op, proc.Cmd{}, "rev-list", "--no-walk", "--end-of-options", rev, "--")
	var e *Error
	if errors.As(err, &e) && repo.Shallow {
		e.hint = "this clone is shallow and may lack it: git fetch --unshallow, or fetch-depth: 0 with actions/checkout"
	}
	if err != nil {
		return Commit{}, err
	}
	id := strings.TrimSpace(out)
	if !objectName.MatchString(id) {
		return Commit{}, &Error{Op: op, ExitCode: -1, Err: errors.New("it names no commit, or several")}
	}
	return c.commit(ctx, repo, id)
}

// commit completes a commit whose name is known.
func (c *Client) commit(ctx context.Context, repo Repository, id string) (Commit, error) {
	tree, err := c.git(ctx, "find a commit's files", proc.Cmd{}, "rev-parse", "--verify", id+"^{tree}")
	return Commit{ID: id, Tree: strings.TrimSpace(tree), in: repo}, err
}

// MergeBase finds the commit at which the histories of two commits part.
// Errors: *Error, also if they have nothing in common.
func (c *Client) MergeBase(ctx context.Context, a, b Commit) (Commit, error) {
	const op = "find where the two histories part"
	out, err := c.git(ctx, op, proc.Cmd{}, "merge-base", a.ID, b.ID)
	var e *Error
	switch {
	case errors.As(err, &e) && e.ExitCode == 1 && a.in.Shallow:
		e.Err, e.hint = errors.New("they have no commit in common here"), "this clone is shallow: git fetch --unshallow, or fetch-depth: 0 with actions/checkout"
	case errors.As(err, &e) && e.ExitCode == 1:
		e.Err = errors.New("they have no commit in common")
	}
	if err != nil {
		return Commit{}, err
	}
	return c.commit(ctx, a.in, strings.TrimSpace(out))
}

// FileIn reads a file of a commit; the name is relative to Config.Dir. It
// returns nil, and no error, if the commit has no such file.
func (c *Client) FileIn(ctx context.Context, commit Commit, name string) ([]byte, error) {
	op := "read " + name + " of a commit"
	object := commit.ID + ":" + commit.in.Prefix + name
	// cat-file says of a missing file only that it failed, as it does of all else.
	found, err := c.git(ctx, op, proc.Cmd{}, "ls-tree", "--full-tree", "--name-only", commit.ID, "--", commit.in.Prefix+name)
	if err != nil || found == "" {
		return nil, err
	}
	text, err := c.git(ctx, op, proc.Cmd{}, "cat-file", "blob", object)
	return []byte(text), err
}

// git runs Git in Config.Dir, unless the command has a directory of its own, and
// returns its standard output. Errors are *Error.
func (c *Client) git(ctx context.Context, op string, cmd proc.Cmd, args ...string) (string, error) {
	cmd.Argv = append([]string{"git"}, args...)
	at := &Client{cfg: c.cfg}
	if cmd.Dir != "" {
		at.cfg.Dir = cmd.Dir
	}
	res, err := at.run(ctx, op, cmd)
	var e *Error
	if errors.As(err, &e) && e.notFound {
		e.hint = "install git"
	}
	if e != nil {
		// Git's last line is what to do about it, not what is wrong.
		if repository, ok := strange(e.Stderr); ok {
			e.Err, e.hint = errors.New(repository+" belongs to another user"), trust(repository)
		}
	}
	return string(res.Stdout), err
}
