package nixcmd

import (
	"context"
	"errors"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// versionCache holds the version once known. The turn is a mutex that can be
// waited for with a context.
type versionCache struct {
	turn  chan struct{}
	known bool
	v     Version
}

// Version returns the version of the nix in use. The first call asks it, in one
// process, and concurrent calls wait for that answer; later ones return it
// again. A failure is not kept. Errors: *NotInstalledError, *TooOldError (with
// the version found also returned), *Error.
func (c *Client) Version(ctx context.Context) (Version, error) {
	const op = "ask Nix for its version"
	select {
	case c.version.turn <- struct{}{}:
	case <-ctx.Done():
		return Version{}, &Error{Op: op, ExitCode: -1, Err: proc.Ended(ctx)}
	}
	defer func() { <-c.version.turn }()
	if c.version.known {
		return c.version.v, nil
	}
	res, err := c.run(ctx, op, proc.Cmd{Argv: []string{c.cfg.Program, "--version"}})
	if err != nil {
		var pe *Error
		if errors.As(err, &pe) && pe.notFound {
			return Version{}, &NotInstalledError{Program: c.cfg.Program, Err: pe.Err}
		}
		return Version{}, err
	}
	v, err := ParseVersion(string(res.Stdout))
	if err != nil {
		return Version{}, &Error{Op: op, Argv: []string{c.cfg.Program, "--version"}, ExitCode: res.Code, Stderr: plain(string(res.Stderr)), Err: err}
	}
	if v.Less(Minimum()) {
		return v, &TooOldError{Found: v, Minimum: Minimum(), Program: c.cfg.Program}
	}
	c.version.known, c.version.v = true, v
	return v, nil
}
