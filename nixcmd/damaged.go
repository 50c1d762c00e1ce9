package nixcmd

import (
	"context"
	"errors"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// resultCorruptedPath tells of a path whose contents are not what the store's database
// says (src/libstore/store-api.cc and src/nix/verify.cc).
const resultCorruptedPath = 103

// Damaged returns those of the paths whose contents in the local store are no longer
// what they were when they came there, as after a disk error; it reads all of them.
// Errors: those of Version and *Error, as of a path that is not in the store.
func (c *Client) Damaged(ctx context.Context, paths []StorePath) ([]StorePath, error) {
	const op = "verify paths"
	if len(paths) == 0 {
		return nil, nil
	}
	argv := append([]string{c.cfg.Program, "store", "verify"}, c.cfg.common()...)
	argv = append(argv, "--no-trust", "--log-format", "internal-json", "--")
	for _, p := range paths {
		if _, err := ParseStorePath(string(p)); err != nil {
			return nil, &Error{Op: op, ExitCode: -1, Err: err}
		}
		argv = append(argv, string(p))
	}
	if _, err := c.Version(ctx); err != nil {
		return nil, err
	}
	var damaged []StorePath
	err := untilFree(ctx, func() error {
		damaged = nil
		var ev event
		_, err := c.run(ctx, op, proc.Cmd{Argv: argv, Stderr: func(line string) {
			if parseEvent(line, &ev) && ev.action == actResult && ev.typ == resultCorruptedPath {
				if p, err := ParseStorePath(ev.fields[0].s); err == nil {
					damaged = append(damaged, p)
				}
			}
		}})
		return err
	})
	// It ends with an error also where all that is wrong has been told.
	var failed *Error
	if len(damaged) > 0 && errors.As(err, &failed) && failed.Err == nil {
		return damaged, nil
	}
	return damaged, err
}
