// Package local runs commands that users have chosen on this machine.
package local

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// grace is how long a command may take to end once it was cancelled.
const grace = time.Second

// Run runs a program with arguments, without a shell, in a directory and with
// settings (NAME=VALUE) besides this process's environment. It returns the exit code,
// -1 if there is none, and the last line that the program printed on either stream
// that was not blank. The error is the context's cause, or why there is no exit code;
// an exit code other than 0 is none. Cancelling interrupts the program and all it has
// started, and kills them a second later.
func Run(ctx context.Context, argv []string, dir string, settings ...string) (code int, last string, err error) {
	var mu sync.Mutex
	keep := func(line string) {
		mu.Lock()
		defer mu.Unlock()
		if text := proc.LastLine(line); text != "" {
			last = text
		}
	}
	res, err := proc.Run(ctx, proc.Cmd{
		Argv: argv, Dir: dir, Grace: grace, Env: proc.Environ(settings...),
		Stdout: keep, Stderr: keep, DiscardStdout: true, DiscardStderr: true,
	})
	var failed *proc.Error
	if errors.As(err, &failed) {
		err = failed.Err
	}
	return res.Code, last, err
}
