package nixcmd

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// SignOptions are options of Client.Sign.
type SignOptions struct {
	// KeyFile is the file of the secret key (`nix key generate-secret`). The key itself
	// is on no command line.
	KeyFile string
	// Store is the store whose paths are signed; "" is the local one. A store over ssh is
	// asked for each path, a round trip each. Of a binary cache Nix believes what it
	// remembers, such as from a copy a moment ago (CopyOptions.Anew).
	Store string
	// SSHOpts and Memory are as in CopyOptions.
	SSHOpts, Memory string
	// ConnectTimeout and StallTimeout are as in CopyOptions.
	ConnectTimeout, StallTimeout time.Duration
}

// Sign adds to paths, and to all they refer to, a signature of a secret key where
// they have none of it yet, and returns how many that were, as far as Nix says so. A
// store with a Nix of its own takes signatures from root and its trusted-users only.
// Without paths it does nothing. Errors: those of Version and *Error.
func (c *Client) Sign(ctx context.Context, paths []StorePath, opt SignOptions) (int, error) {
	const op = "sign"
	if len(paths) == 0 {
		return 0, nil
	}
	argv, err := c.cfg.signArgs(paths, opt)
	if err != nil {
		return 0, &Error{Op: op, ExitCode: -1, Err: err}
	}
	if _, err := c.Version(ctx); err != nil {
		return 0, err
	}
	env := c.cfg.environ(append(sshOpts(opt.SSHOpts), memory(opt.Memory)...)...)
	var res proc.Result
	err = untilFree(ctx, func() (err error) {
		res, err = c.run(ctx, op, proc.Cmd{Argv: argv, Env: env})
		return err
	})
	return added(string(res.Stderr)), err
}

// added is the number in "added N signatures", which is for people; 0 if it is not there.
func added(stderr string) int {
	for line := range strings.Lines(stderr) {
		if rest, ok := strings.CutPrefix(plain(strings.TrimSpace(line)), "added "); ok {
			number, _, _ := strings.Cut(rest, " ")
			if n, err := strconv.Atoi(number); err == nil && n > 0 {
				return n
			}
		}
	}
	return 0
}

// signArgs is the command that signs paths.
func (cfg Config) signArgs(paths []StorePath, opt SignOptions) ([]string, error) {
	if opt.KeyFile == "" || opt.KeyFile[0] == '-' {
		return nil, errors.New("no file with a secret key given")
	}
	argv := append([]string{cfg.Program, "store", "sign"}, cfg.common()...)
	argv = append(argv, patienceArgs(opt.ConnectTimeout, opt.StallTimeout)...)
	if opt.Store != "" {
		store, err := storeURL(opt.Store)
		if err != nil {
			return nil, err
		}
		argv = append(argv, "--store", store)
	}
	argv = append(argv, "--recursive", "--key-file", opt.KeyFile, "--")
	for _, p := range paths {
		if _, err := ParseStorePath(string(p)); err != nil {
			return nil, fmt.Errorf("cannot sign: %w", err)
		}
		argv = append(argv, string(p))
	}
	return argv, nil
}
