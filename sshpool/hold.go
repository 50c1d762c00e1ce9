package sshpool

import (
	"context"
	"io"
	"os"
)

// held is the command's standard input, held back as Hold says. Call done once the
// command has ended.
//
// It is a pipe, since the end of ssh would else be noticed only once a reader that
// waits has returned (os/exec).
func (cmd Cmd) held(ctx context.Context) (stdin io.Reader, done func(), err error) {
	in := cmd.stdin()
	if cmd.Hold == nil || in == nil {
		return in, func() {}, nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer w.Close()
		select {
		case <-cmd.Hold:
			// Whoever ends before it has read all of it says so by its exit code.
			_, _ = io.Copy(w, in)
		case <-ctx.Done():
		}
	}()
	return r, func() { cancel(); _ = r.Close(); <-over }, nil
}
