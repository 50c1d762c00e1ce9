package nixcmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// Sign adds to paths of the local store, and to all they refer to, a signature of
// the secret key in a file (`nix key generate-secret`), where they have none of it
// yet. Nix takes signatures from root and its trusted-users only. The key itself is
// on no command line. Without paths it does nothing. Errors: those of Version and
// *Error.
func (c *Client) Sign(ctx context.Context, paths []StorePath, keyFile string) error {
	const op = "sign"
	if len(paths) == 0 {
		return nil
	}
	argv, err := c.cfg.signArgs(paths, keyFile)
	if err != nil {
		return &Error{Op: op, ExitCode: -1, Err: err}
	}
	if _, err := c.Version(ctx); err != nil {
		return err
	}
	return untilFree(ctx, func() error {
		_, err := c.run(ctx, op, proc.Cmd{Argv: argv})
		return err
	})
}

// signArgs is the command that signs paths.
func (cfg Config) signArgs(paths []StorePath, keyFile string) ([]string, error) {
	if keyFile == "" || keyFile[0] == '-' {
		return nil, errors.New("no file with a secret key given")
	}
	argv := append([]string{cfg.Program, "store", "sign"}, cfg.common()...)
	argv = append(argv, "--recursive", "--key-file", keyFile, "--")
	for _, p := range paths {
		if _, err := ParseStorePath(string(p)); err != nil {
			return nil, fmt.Errorf("cannot sign: %w", err)
		}
		argv = append(argv, string(p))
	}
	return argv, nil
}
