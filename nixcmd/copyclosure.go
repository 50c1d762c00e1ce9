package nixcmd

import (
	"context"
	"fmt"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// CopyClosure copies paths and everything they refer to as nixos-rebuild and its like
// do, with nix-copy-closure: it waits for an answer for each path. It is here to be
// compared with Copy. The host is one of ssh, [USER@]HOST; options are as SSHOpts in
// CopyOptions. Errors: those of Version and *Error.
func (c *Client) CopyClosure(ctx context.Context, paths []StorePath, host, options string) error {
	const op = "nix-copy-closure"
	if len(paths) == 0 {
		return nil
	}
	if err := checkAuthority(host); err != nil {
		return &Error{Op: op, ExitCode: -1, Err: err}
	}
	argv := []string{c.cfg.tool("nix-copy-closure"), "--to", host}
	for _, p := range paths {
		if _, err := ParseStorePath(string(p)); err != nil {
			return &Error{Op: op, ExitCode: -1, Err: fmt.Errorf("cannot copy: %w", err)}
		}
		argv = append(argv, string(p))
	}
	if _, err := c.Version(ctx); err != nil {
		return err
	}
	return untilFree(ctx, func() error {
		_, err := c.run(ctx, op, proc.Cmd{Argv: argv, Env: c.cfg.environ(sshOpts(options)...)})
		return err
	})
}
