package recipes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/nixflotilla/flotilla/internal/signals"
)

// errInterrupted is the cause of a context that a signal cancelled.
var errInterrupted = errors.New("interrupted")

// interruptible turns Ctrl-C, SIGTERM and a lost terminal into the promise of a
// deployment: the first, to which the text is said, cancels the context, so that nothing new is started
// while activations come to their end; the second closes abandon, so that they
// are no longer waited for; the third ends the process. Call stop when the work
// is done. A reader of our output that goes away does not end the process.
func interruptible(ctx context.Context, w io.Writer, first string) (inner context.Context, abandon <-chan struct{}, stop func()) {
	inner, cancel := context.WithCancelCause(ctx)
	abandoned, done, over := make(chan struct{}), make(chan struct{}), make(chan struct{})
	signals.Take()
	got := make(chan os.Signal, 2)
	signal.Notify(got, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	// Not Ignore, which children would inherit.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	go func() {
		defer close(over)
		for n := 1; ; n++ {
			select {
			case <-done:
				return
			case <-got:
			}
			switch n {
			case 1:
				fmt.Fprintln(w, "\ninterrupted: "+first)
				cancel(errInterrupted)
			case 2:
				fmt.Fprintln(w, "\nno longer waiting; what is under way on hosts goes on there by itself")
				close(abandoned)
				signal.Stop(got)
				signal.Reset(os.Interrupt, syscall.SIGTERM)
			}
		}
	}()
	return inner, abandoned, func() {
		signal.Stop(got)
		close(done)
		<-over
		cancel(nil)
	}
}

// untilSignal is a context for work that Ctrl-C, SIGTERM and a lost terminal may end at
// once.
func untilSignal(ctx context.Context) (context.Context, context.CancelFunc) {
	signals.Take()
	return signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
}
