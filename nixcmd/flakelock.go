package nixcmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// LockedInput is what a flake.lock pins an input to. Fields that the input's
// type does not have are zero.
type LockedInput struct {
	// Rev is the revision, NarHash the hash of the contents.
	Rev, NarHash string
	// LastModified is when the contents were last changed, to the second.
	LastModified time.Time
}

// Lock is a flake.lock.
type Lock struct {
	// Inputs are all inputs by their path: "nixpkgs", and "home-manager/nixpkgs"
	// for an input of an input.
	Inputs map[string]LockedInput
	// Follows are those that are another's: the path of that.
	Follows map[string]string
}

// lockFile is the part of a flake.lock, version 5 to 7, that this package reads
// (Nix manual, "nix flake", "Lock files").
type lockFile struct {
	Nodes   map[string]lockNode `json:"nodes"`
	Root    string              `json:"root"`
	Version int                 `json:"version"`
}

type lockNode struct {
	Inputs map[string]json.RawMessage `json:"inputs"`
	Locked *struct {
		Rev          string `json:"rev"`
		NarHash      string `json:"narHash"`
		LastModified int64  `json:"lastModified"`
	} `json:"locked"`
}

// ParseLock reads a flake.lock. An input's path leads through the lock's nodes;
// where it would come back to one, or is deeper than 20, it ends.
func ParseLock(text []byte) (Lock, error) {
	var file lockFile
	if err := json.Unmarshal(text, &file); err != nil {
		return Lock{}, fmt.Errorf("not a flake.lock: %w", err)
	}
	if _, ok := file.Nodes[file.Root]; !ok {
		return Lock{}, errors.New("not a flake.lock: it has no root")
	}
	l := Lock{Inputs: map[string]LockedInput{}, Follows: map[string]string{}}
	return l, l.walk(file, file.Root, nil, []string{file.Root})
}

// mostInputs bounds what a lock file made for that can unfold to.
const mostInputs = 10_000

func (l Lock) walk(file lockFile, node string, path, above []string) error {
	for name, raw := range file.Nodes[node].Inputs {
		at := append(slices.Clone(path), name)
		id := strings.Join(at, "/")
		var follows []string
		var to string
		switch {
		case json.Unmarshal(raw, &to) == nil:
		case json.Unmarshal(raw, &follows) == nil:
			l.Follows[id] = strings.Join(follows, "/")
			continue
		default:
			return fmt.Errorf("not a flake.lock: the input %q is neither a node nor a list", abbreviated(id))
		}
		next, ok := file.Nodes[to]
		if !ok {
			return fmt.Errorf("not a flake.lock: it has no node %q", abbreviated(to))
		}
		if slices.Contains(above, to) || len(at) > 20 || len(l.Inputs) >= mostInputs {
			continue
		}
		in := LockedInput{}
		if p := next.Locked; p != nil {
			in = LockedInput{Rev: p.Rev, NarHash: p.NarHash}
			if p.LastModified > 0 {
				in.LastModified = time.Unix(p.LastModified, 0).UTC()
			}
		}
		l.Inputs[id] = in
		if err := l.walk(file, to, at, append(slices.Clone(above), to)); err != nil {
			return err
		}
	}
	return nil
}

// UpdateInputs writes newer versions of inputs of the flake in Config.Dir to
// its flake.lock; without names, of all. Nothing is committed. A name is a path
// as in Lock. An error may leave the file written or not. Errors are those of
// Version, and *Error.
func (c *Client) UpdateInputs(ctx context.Context, names []string) error {
	op := "update all inputs"
	if len(names) > 0 {
		op = "update " + strings.Join(names, ", ")
	}
	for _, n := range names {
		if n == "" || n[0] == '-' || hasControl(n) {
			return &Error{Op: "update an input", ExitCode: -1, Err: fmt.Errorf("%q is not the name of an input", abbreviated(n))}
		}
	}
	v, err := c.Version(ctx)
	if err != nil {
		return err
	}
	return untilFree(ctx, func() error {
		_, err := c.run(ctx, op, proc.Cmd{Argv: c.cfg.updateArgs(v, names)})
		return err
	})
}

// updateArgs is the command that updates inputs. Before 2.19 `nix flake update`
// took a flake where it takes inputs since.
func (cfg Config) updateArgs(v Version, names []string) []string {
	if len(names) > 0 && !v.AtLeast(2, 19) {
		argv := append([]string{cfg.Program, "flake", "lock"}, cfg.common()...)
		for _, n := range names {
			argv = append(argv, "--update-input", n)
		}
		return argv
	}
	argv := append([]string{cfg.Program, "flake", "update"}, cfg.common()...)
	if len(names) > 0 {
		argv = append(append(argv, "--"), names...)
	}
	return argv
}

// Uncommitted reports whether a file below Config.Dir differs from what Git's
// last commit has. Outside of a work tree nothing does. Errors: *Error.
func (c *Client) Uncommitted(ctx context.Context, file string) (bool, error) {
	dir, err := filepath.Abs(c.cfg.Dir)
	if err != nil {
		return false, &Error{Op: "look whether " + file + " is committed", ExitCode: -1, Err: err}
	}
	if !inWorkTree(dir) {
		return false, nil
	}
	argv := []string{"git", "status", "--porcelain", "--", file}
	res, err := c.run(ctx, "look whether "+file+" is committed", proc.Cmd{Argv: argv})
	return len(res.Stdout) > 0, err
}
