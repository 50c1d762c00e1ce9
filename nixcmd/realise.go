package nixcmd

import (
	"context"
	"fmt"
)

// Realise makes store paths valid in the local store that are no derivations:
// those that it lacks are fetched from substituters, BuildOptions.Cache among them,
// with all they refer to, and nothing is built. Store, KeepGoing and Rebuild do not
// apply. Without paths it does nothing. Errors are those of Build; a path that no
// substituter has is a *BuildError.
func (c *Client) Realise(ctx context.Context, paths []StorePath, opt BuildOptions) error {
	const op = "fetch"
	if len(paths) == 0 {
		return nil
	}
	operands := make([]string, len(paths))
	for i, p := range paths {
		if _, err := ParseStorePath(string(p)); err != nil || p.IsDerivation() {
			return &Error{Op: op, ExitCode: -1, Err: fmt.Errorf("%q is not the path of something built", abbreviated(string(p)))}
		}
		operands[i] = string(p)
	}
	argv, err := c.cfg.buildArgs(operands, BuildOptions{OutLink: opt.OutLink, Fallback: opt.Fallback, Cache: opt.Cache})
	if err != nil {
		return &Error{Op: op, ExitCode: -1, Err: err}
	}
	if _, err := c.Version(ctx); err != nil {
		return err
	}
	return untilFree(ctx, func() error {
		_, err := c.build(ctx, argv, nil, opt)
		return err
	})
}
