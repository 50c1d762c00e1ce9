package fleet

import (
	"bufio"
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

//go:embed remote/delete.sh
var deleteScript string

// Cargo are store paths that are made up to be copied, in order to measure that.
type Cargo struct {
	// Small are many small paths, Large is one that is not; empty if there is none.
	Small []nixcmd.StorePath
	Large nixcmd.StorePath
}

// paths are all of them.
func (c Cargo) paths() []nixcmd.StorePath {
	if c.Large == "" {
		return c.Small
	}
	return append(slices.Clone(c.Small), c.Large)
}

// smallCargo is the size of a small path, about that of a unit or of a script.
const smallCargo = 3000

// MakeCargo adds so many small paths of 3 kB, and one large of so many bytes, to the
// local store. They hold random letters that compress by half, as what a system is made
// of does, refer to nothing, and need no signature anywhere, since their names are made
// of their contents. Drop them when they have served.
func (f *Fleet) MakeCargo(ctx context.Context, small int, large int64) (c Cargo, err error) {
	dir, err := os.MkdirTemp("", "flotilla-cargo-*")
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var files []string
	add := func(name string, size int64) error {
		files = append(files, filepath.Join(dir, name))
		return randomText(ctx, files[len(files)-1], size)
	}
	for i := range small {
		if err := add(fmt.Sprintf("flotilla-cargo-%d", i+1), smallCargo); err != nil {
			return c, err
		}
	}
	if large > 0 {
		if err := add("flotilla-cargo-large", large); err != nil {
			return c, err
		}
	}
	paths, err := f.nix.AddFiles(ctx, files)
	if err != nil {
		return c, err
	}
	if c.Small = paths[:small]; large > 0 {
		c.Large = paths[small]
	}
	return c, nil
}

// randomText writes a file of random hexadecimal digits.
func randomText(ctx context.Context, name string, size int64) (err error) {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	w := bufio.NewWriterSize(file, 1<<20)
	_, err = io.Copy(hex.NewEncoder(w), io.LimitReader(interrupted{ctx, rand.Reader}, (size+1)/2))
	return errors.Join(err, w.Flush())
}

// interrupted is a reader that ends with its context.
type interrupted struct {
	ctx context.Context
	r   io.Reader
}

func (i interrupted) Read(p []byte) (int, error) {
	if i.ctx.Err() != nil {
		return 0, context.Cause(i.ctx)
	}
	return i.r.Read(p)
}

// DropCargo deletes it from the local store.
func (f *Fleet) DropCargo(ctx context.Context, c Cargo) error {
	return deleted(ctx, c.paths(), func(ctx context.Context, paths []nixcmd.StorePath) ([]nixcmd.StorePath, error) {
		deleting := f.nix.Delete(ctx, paths)
		missing, err := f.nix.Missing(ctx, paths)
		if err != nil {
			return paths, err
		}
		return slices.DeleteFunc(slices.Clone(paths), func(p nixcmd.StorePath) bool { return slices.Contains(missing, p) }), deleting
	})
}

// Way is how Carry copies.
type Way string

const (
	// ByPool is how deployments copy: over the connection that is kept.
	ByPool Way = "pool"
	// ByItself is `nix copy` to ssh-ng, which makes a connection of its own.
	ByItself Way = "nix copy"
	// ByClosure is nix-copy-closure, which nixos-rebuild uses, over the connection
	// that is kept.
	ByClosure Way = "nix-copy-closure"
)

// Carry copies cargo, or a part of it, to hosts: Reached, with the duration of StepCopy. It does
// what a deployment does at that point, but for trying again and for compression.
func (f *Fleet) Carry(ctx context.Context, hosts []Host, c Cargo, way Way) *Report {
	paths := c.paths()
	return f.run(ctx, hosts, func(ctx context.Context, j *job) (Outcome, error) {
		conn, err := j.reached(ctx)
		if err != nil {
			return "", err
		}
		return Reached, j.step(ctx, StepCopy, f.stages.copies, func(ctx context.Context) (string, error) {
			opt := nixcmd.CopyOptions{To: nixcmd.CopyURL(j.host.User, j.host.Address), SSHOpts: conn.NixSSHOpts(), NoCheckSigs: true}
			switch way {
			case ByPool:
				return "", f.nix.Copy(ctx, paths, opt)
			case ByItself:
				own, ok := conn.(interface{ DirectNixSSHOpts() string })
				if !ok {
					return "", errOwnDialer
				}
				opt.SSHOpts = own.DirectNixSSHOpts()
				return "", f.nix.Copy(ctx, paths, opt)
			case ByClosure:
				return "", f.nix.CopyClosure(ctx, paths, strings.TrimPrefix(j.host.User+"@"+j.host.Address, "@"), conn.NixSSHOpts())
			}
			return "", fmt.Errorf("there is no way %q", way)
		})
	})
}

// Unload deletes cargo from hosts, and nothing else: Reached. A path that is in use
// there stays, which is an error.
func (f *Fleet) Unload(ctx context.Context, hosts []Host, c Cargo) *Report {
	paths := c.paths()
	return f.run(ctx, hosts, func(ctx context.Context, j *job) (Outcome, error) {
		conn, err := j.reached(ctx)
		if err != nil {
			return "", err
		}
		err = deleted(ctx, paths, func(ctx context.Context, paths []nixcmd.StorePath) (left []nixcmd.StorePath, err error) {
			var lines strings.Builder
			for _, p := range paths {
				lines.WriteString(string(p) + "\n")
			}
			res, err := conn.Run(ctx, sshpool.Cmd{Argv: []string{"sh", "-c", deleteScript}, Stdin: strings.NewReader(lines.String())})
			if err != nil {
				return paths, err
			}
			text := string(res.Stdout)
			if _, err := parseAnswer(text); err != nil {
				return paths, err
			}
			for line := range strings.Lines(text) {
				if path, ok := strings.CutPrefix(strings.TrimSpace(line), "left "); ok {
					left = append(left, nixcmd.StorePath(path))
				}
			}
			if len(left) > 0 {
				said := strings.TrimSpace(string(res.Stderr))
				err = errors.New(said[strings.LastIndexByte(said, '\n')+1:])
			}
			return left, err
		})
		if err != nil {
			return "", j.stepError(StepCopy, err)
		}
		return Reached, nil
	})
}

// deleted deletes paths; do returns those that are left. A Nix that has just been given
// a path holds on to it until it ends, a moment later.
func deleted(ctx context.Context, paths []nixcmd.StorePath, do func(context.Context, []nixcmd.StorePath) ([]nixcmd.StorePath, error)) error {
	const tries = 6
	for try := 1; len(paths) > 0; try++ {
		left, err := do(ctx, paths)
		if paths = left; len(left) == 0 {
			return nil
		}
		if err == nil {
			err = errors.New("something uses them")
		}
		if ctx.Err() != nil || try == tries {
			return &hintedError{fmt.Errorf("%d of the paths made up to be copied are still in the store, such as %s: %w", len(left), left[0], err),
				"the next garbage collection takes them, or `nix store delete` of that name now"}
		}
		pause(ctx, 500*time.Millisecond)
	}
	return nil
}

// reached is the host's connection.
func (j *job) reached(ctx context.Context) (Remote, error) {
	conn, err := j.connect(ctx, func(context.Context, Remote) error { return nil })
	if err != nil {
		return nil, j.stepError(StepSurvey, err)
	}
	return conn, nil
}
