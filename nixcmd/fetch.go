package nixcmd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

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
	// Mark is as in CopyOptions.
	Mark string
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
	argv, err := c.fetchArgs(paths, opt)
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
//
// Nix takes paths one by one from an ssh-ng store into a store that it works on itself, as
// root's Nix does, at 30 to 300 ms each (2.26, on a LAN); a daemon takes them in one stream.
func (c *Client) fetchArgs(paths []StorePath, opt FetchOptions) ([]string, error) {
	cfg := c.cfg
	from, err := storeURL(opt.From)
	if err == nil && opt.Mark != "" {
		from, err = marked(from, opt.Mark)
	}
	if err != nil {
		return nil, err
	}
	argv := append([]string{cfg.Program, "copy"}, cfg.common()...)
	if opt.NoCheckSigs {
		argv = append(argv, "--no-check-sigs")
	}
	argv = append(argv, "--log-format", "raw", "--from", from)
	if c.daemonListens() {
		argv = append(argv, "--to", "daemon")
	}
	argv = append(argv, "--")
	for _, p := range paths {
		if _, err := ParseStorePath(string(p)); err != nil {
			return nil, fmt.Errorf("cannot copy: %w", err)
		}
		argv = append(argv, string(p))
	}
	return argv, nil
}

// daemonListens reports whether there is a Nix daemon for the store that Nix uses if it is told
// nothing else (Nix manual, "auto" store).
func (c *Client) daemonListens() bool {
	if remote := c.getenv("NIX_REMOTE"); remote != "" && remote != "auto" && remote != "daemon" {
		return false
	}
	sock := c.getenv("NIX_DAEMON_SOCKET_PATH")
	if sock == "" {
		state := c.getenv("NIX_STATE_DIR")
		if state == "" {
			state = "/nix/var/nix"
		}
		sock = state + "/daemon-socket/socket"
	}
	conn, err := net.DialTimeout("unix", sock, time.Second)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

func fetchHint(opt FetchOptions) string {
	hint := "try `nix store info --store '" + opt.From + "'` to see whether Nix can reach that store"
	if opt.NoCheckSigs {
		return hint + "; unsigned paths are taken from root and from trusted-users of this machine's nix.conf only"
	}
	return hint + "; unsigned paths need NoCheckSigs"
}
