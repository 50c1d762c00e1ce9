package nixcmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// StagedTree writes what the index holds to the repository, as what a commit
// would now have, and returns its name there. It is Git that finds the index:
// within a hook of `git commit FILE` another than usual. Errors: *Error, also
// for an index with conflicts.
func (c *Client) StagedTree(ctx context.Context) (string, error) {
	out, err := c.git(ctx, "write what is staged", proc.Cmd{}, "write-tree")
	return strings.TrimSpace(out), err
}

// HeadTree is the tree of the last commit; "" before the first.
func (c *Client) HeadTree(ctx context.Context) (string, error) {
	out, err := c.git(ctx, "find the last commit", proc.Cmd{}, "rev-parse", "--verify", "--quiet", "HEAD^{tree}")
	var e *Error
	if errors.As(err, &e) && e.ExitCode == 1 && e.Stderr == "" {
		return "", nil
	}
	return strings.TrimSpace(out), err
}

// RepositoryVariables are the environment variables that tie Git to one
// repository. Git sets some of them for its hooks, and whatever is to look at
// another must not have them.
func (c *Client) RepositoryVariables(ctx context.Context) ([]string, error) {
	out, err := c.git(ctx, "ask for its variables", proc.Cmd{}, "rev-parse", "--local-env-vars")
	return strings.Fields(out), err
}

// CommitOf makes a commit of a tree, for Nix to look at. No branch leads to it,
// so that Git clears it away in time. It has no parent, and is the same one
// whoever makes it of that tree at whatever time: Nix's evaluation cache knows
// it again, and two of them differ in their files alone. Errors: ErrNoGit, else
// *Error.
func (c *Client) CommitOf(ctx context.Context, tree string) (Commit, error) {
	const op = "make a commit to be tested"
	if err := isTree(op, tree); err != nil {
		return Commit{}, err
	}
	repo, err := c.Repository(ctx)
	if err != nil {
		return Commit{}, err
	}
	var who []string
	for _, role := range []string{"GIT_AUTHOR_", "GIT_COMMITTER_"} {
		// The time of all files in the Nix store.
		who = append(who, role+"NAME=flotilla", role+"EMAIL=flotilla@localhost", role+"DATE=@1 +0000")
	}
	out, err := c.git(ctx, op, proc.Cmd{Env: c.cfg.environ(who...)},
		"-c", "i18n.commitEncoding=UTF-8", "commit-tree", "-m", "flotilla: files to be tested", tree)
	return Commit{ID: strings.TrimSpace(out), Tree: tree, in: repo}, err
}

// CheckSyntaxOf is CheckSyntax for those .nix files of the tree now that the tree
// before has not, or has otherwise; before "" stands for a tree without files.
// Names are relative to the root of the repository. It also returns how many
// files these are.
func (c *Client) CheckSyntaxOf(ctx context.Context, before, now string) (bad []SyntaxError, files int, err error) {
	changed, err := c.changedNix(ctx, before, now)
	if err != nil || len(changed) == 0 {
		return nil, 0, err
	}
	dir, err := os.MkdirTemp("", "flotilla-staged-*")
	if err != nil {
		return nil, 0, &Error{Op: "write the files to be checked", ExitCode: -1, Err: err}
	}
	defer os.RemoveAll(dir)
	names, err := c.export(ctx, changed, dir)
	if err != nil {
		return nil, 0, err
	}
	bad, err = c.CheckSyntax(ctx, names)
	for i := range bad {
		bad[i].File = strings.TrimPrefix(bad[i].File, dir+"/")
	}
	return bad, len(names), err
}

// isTree refuses what cannot be the name of a tree.
func isTree(op, name string) error {
	if objectName.MatchString(name) {
		return nil
	}
	return &Error{Op: op, ExitCode: -1, Err: fmt.Errorf("%q is not the name of a tree, which is hexadecimal", abbreviated(name))}
}

// blob is a file of a commit: its name, and that of what it holds.
type blob struct{ path, object string }

// changedNix lists the .nix files that are in now and not the same in before.
func (c *Client) changedNix(ctx context.Context, before, now string) ([]blob, error) {
	const op = "compare what is staged with the last commit"
	if err := isTree(op, now); err != nil {
		return nil, err
	}
	var out string
	var err error
	if before == "" {
		// MODE TYPE OBJECT TAB PATH
		out, err = c.git(ctx, op, proc.Cmd{}, "ls-tree", "-r", "-z", "--full-tree", now)
	} else {
		// :MODE MODE OBJECT OBJECT STATUS, then PATH
		out, err = c.git(ctx, op, proc.Cmd{}, "diff-tree", "-r", "-z", "--no-renames", "--no-ext-diff", "--diff-filter=d", before, now)
	}
	if err != nil {
		return nil, err
	}
	return parseChanged(out), nil
}

// parseChanged reads what `git ls-tree -z` and `git diff-tree -z` print, and
// leaves out what is not a .nix file: symlinks and submodules among others.
func parseChanged(out string) []blob {
	var changed []blob
	take := func(mode, object, path string) {
		if strings.HasPrefix(mode, "100") && strings.HasSuffix(path, ".nix") && filepath.IsLocal(path) && objectName.MatchString(object) {
			changed = append(changed, blob{path, object})
		}
	}
	records := strings.Split(out, "\x00")
	for i := 0; i < len(records); i++ {
		if meta, path, ok := strings.Cut(records[i], "\t"); ok && !strings.HasPrefix(meta, ":") {
			if f := strings.Fields(meta); len(f) == 3 {
				take(f[0], f[2], path)
			}
			continue
		}
		if f := strings.Fields(records[i]); len(f) == 5 && strings.HasPrefix(f[0], ":") && i+1 < len(records) {
			i++
			take(f[1], f[3], records[i])
		}
	}
	return changed
}

// export writes files below dir and returns their absolute names.
func (c *Client) export(ctx context.Context, files []blob, dir string) ([]string, error) {
	const op = "read the staged files"
	var wanted strings.Builder
	for _, f := range files {
		wanted.WriteString(f.object + "\n")
	}
	out, err := c.git(ctx, op, proc.Cmd{Stdin: strings.NewReader(wanted.String())}, "cat-file", "--batch")
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(files))
	for _, f := range files {
		var text string
		if text, out, err = nextObject(out, f.object); err != nil {
			return nil, &Error{Op: op, ExitCode: -1, Err: err}
		}
		name := filepath.Join(dir, f.path)
		err := os.MkdirAll(filepath.Dir(name), 0o700)
		if err == nil {
			err = os.WriteFile(name, []byte(text), 0o600)
		}
		if err != nil {
			return nil, &Error{Op: op, ExitCode: -1, Err: err}
		}
		names = append(names, name)
	}
	return names, nil
}

// nextObject takes the first object off what `git cat-file --batch` prints:
// "OBJECT TYPE SIZE", the contents, and a line feed.
func nextObject(out, object string) (text, rest string, err error) {
	head, rest, _ := strings.Cut(out, "\n")
	f := strings.Fields(head)
	if len(f) != 3 || f[0] != object || f[1] != "blob" {
		return "", "", fmt.Errorf("git answers %q for %s", abbreviated(head), object)
	}
	size, err := strconv.Atoi(f[2])
	if err != nil || size < 0 || size >= len(rest) {
		return "", "", fmt.Errorf("git's answer for %s is cut short", object)
	}
	return rest[:size], rest[size+1:], nil
}
