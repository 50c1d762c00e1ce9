package nixcmd

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// AddFiles copies files or directories into the local store, each as a path of its
// own that refers to no other, and returns the paths in the order of the files. Nothing
// keeps them from the garbage collector. Errors: those of Version and *Error.
func (c *Client) AddFiles(ctx context.Context, files []string) ([]StorePath, error) {
	const op = "add files to the store"
	if len(files) == 0 {
		return nil, nil
	}
	argv := []string{c.cfg.tool("nix-store"), "--add", "--"}
	for _, f := range files {
		abs, err := filepath.Abs(f)
		if err != nil {
			return nil, &Error{Op: op, ExitCode: -1, Err: err}
		}
		argv = append(argv, abs)
	}
	if _, err := c.Version(ctx); err != nil {
		return nil, err
	}
	var res proc.Result
	err := untilFree(ctx, func() (err error) {
		res, err = c.run(ctx, op, proc.Cmd{Argv: argv})
		return err
	})
	if err != nil {
		return nil, err
	}
	var paths []StorePath
	for line := range strings.Lines(string(res.Stdout)) {
		p, err := ParseStorePath(strings.TrimSpace(line))
		if err != nil {
			return nil, &Error{Op: op, Argv: argv, ExitCode: res.Code, Err: err}
		}
		paths = append(paths, p)
	}
	if len(paths) != len(files) {
		return nil, &Error{Op: op, Argv: argv, ExitCode: res.Code, Err: fmt.Errorf("%d files became %d paths", len(files), len(paths))}
	}
	return paths, nil
}

// Delete deletes paths from the local store, and nothing else; all of them or none:
// it is an error if one is in use, or if another path refers to it. Errors: those of
// Version and *Error.
func (c *Client) Delete(ctx context.Context, paths []StorePath) error {
	const op = "delete paths from the store"
	if len(paths) == 0 {
		return nil
	}
	argv := []string{c.cfg.tool("nix-store"), "--delete", "--"}
	for _, p := range paths {
		if _, err := ParseStorePath(string(p)); err != nil {
			return &Error{Op: op, ExitCode: -1, Err: err}
		}
		argv = append(argv, string(p))
	}
	if _, err := c.Version(ctx); err != nil {
		return err
	}
	return untilFree(ctx, func() error {
		_, err := c.run(ctx, op, proc.Cmd{Argv: argv})
		return err
	})
}
