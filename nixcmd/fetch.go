package nixcmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// FetchOptions are options of Client.Fetch.
type FetchOptions struct {
	// From is the store to copy from, such as "ssh-ng://root@web"; see CopyURL.
	From string
	// SSHOpts are further options for ssh (NIX_SSHOPTS), as in CopyOptions.
	SSHOpts string
	// NoCheckSigs takes paths that no key trusted here has signed; this user
	// must then be one of Nix's trusted users here.
	NoCheckSigs bool
	// Progress is as in CopyOptions.
	Progress func(CopyEvent)
}

// Fetch copies paths and everything they refer to from another store to the
// local one. Nothing keeps them from the garbage collector. Without paths it does
// nothing. Errors: *CopyError if Nix ran and gave an error, else those of Version
// and *Error.
func (c *Client) Fetch(ctx context.Context, paths []StorePath, opt FetchOptions) error {
	if len(paths) == 0 {
		return nil
	}
	op := "copy from " + opt.From
	argv, err := c.cfg.fetchArgs(paths, opt)
	if err != nil {
		return &Error{Op: op, ExitCode: -1, Err: err}
	}
	if _, err := c.Version(ctx); err != nil {
		return err
	}
	env := c.cfg.environ(sshOpts(opt.SSHOpts)...)
	return untilFree(ctx, func() error {
		log := copyLog{each: opt.Progress}
		_, err := c.run(ctx, op, proc.Cmd{Argv: argv, Env: env, Stderr: log.line})
		var e *Error
		if errors.As(err, &e) && e.Err == nil {
			return &CopyError{
				From: opt.From, Message: copyMessage(e.Stderr), hint: fetchHint(opt),
				Argv: e.Argv, ExitCode: e.ExitCode, Stderr: e.Stderr,
			}
		}
		return err
	})
}

// fetchArgs is the command that copies paths here. As for copyArgs, the plain
// log will do.
func (cfg Config) fetchArgs(paths []StorePath, opt FetchOptions) ([]string, error) {
	from, err := storeURL(opt.From)
	if err != nil {
		return nil, err
	}
	argv := append([]string{cfg.Program, "copy"}, cfg.common()...)
	if opt.NoCheckSigs {
		argv = append(argv, "--no-check-sigs")
	}
	argv = append(argv, "--log-format", "raw", "--from", from, "--")
	for _, p := range paths {
		if _, err := ParseStorePath(string(p)); err != nil {
			return nil, fmt.Errorf("cannot copy: %w", err)
		}
		argv = append(argv, string(p))
	}
	return argv, nil
}

func fetchHint(opt FetchOptions) string {
	hint := "try `nix store info --store '" + opt.From + "'` to see whether Nix can reach that store"
	if opt.NoCheckSigs {
		return hint + "; unsigned paths are taken from root and from trusted-users of this machine's nix.conf only"
	}
	return hint + "; unsigned paths need NoCheckSigs"
}
