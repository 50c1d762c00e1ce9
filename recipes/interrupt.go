package recipes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"
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
	takeSignals()
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
				fmt.Fprintln(w, "\nno longer waiting; activations under way go on by themselves on their hosts")
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
	takeSignals()
	return signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
}

// takeSignals takes Ctrl-C from Mage, whose handler ends the process five seconds after it,
// in the middle of an activation. Mage starts a target before it has that handler
// (mage/template.go, runTarget), which would then come after this and stay.
func takeSignals() {
	stacks := make([]byte, 1<<16)
	for range 1000 {
		if mainWaits(string(stacks[:runtime.Stack(stacks, true)])) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	signal.Reset(os.Interrupt, syscall.SIGTERM)
}

// mainWaits reports whether the main goroutine waits for others, as Mage's does once it
// has its handler, or is the caller itself, and no Mage's.
func mainWaits(stacks string) bool {
	if strings.HasPrefix(stacks, "goroutine 1 ") {
		return true
	}
	_, rest, _ := strings.Cut(stacks, "\ngoroutine 1 ")
	_, state, _ := strings.Cut(rest, "[")
	return strings.HasPrefix(state, "select") || strings.HasPrefix(state, "chan receive")
}
