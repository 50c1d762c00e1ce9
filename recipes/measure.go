package recipes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/magefile/mage/mg"

	"github.com/nixflotilla/flotilla/bench"
	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/ui"
)

// measurement is a recipe that measures at work.
type measurement struct {
	fleet  *fleet.Fleet
	hosts  []fleet.Host
	status *ui.Stage
	// abandon is closed at the second Ctrl-C.
	abandon <-chan struct{}
}

// measuring picks hosts and measures; there is no face, since the runs that are
// measured are not to be disturbed by what shows them. Ctrl-C ends it at once:
// nothing that is measured changes a host.
func measuring(ctx context.Context, selector string, work func(context.Context, measurement) error) error {
	return measuringAfter(ctx, selector, nil, work)
}

// measuringAfter is measuring with a question before it; nil means none.
func measuringAfter(ctx context.Context, selector string, ask question, work func(context.Context, measurement) error) error {
	if err := named(selector); err != nil {
		return failure(err)
	}
	p := &passwords{}
	f, err := open(fleet.Config{Password: p.of})
	if err != nil {
		return failure(err)
	}
	defer f.Close(context.WithoutCancel(ctx))
	m := measurement{fleet: f}
	pick := func(ctx context.Context, s session) (err error) {
		if m.hosts, err = s.fleet.Select(ctx, selector); err != nil || ask == nil {
			return err
		}
		s.hosts = m.hosts
		return ask(ctx, s)
	}
	if err := put(ctx, pick, session{fleet: f, passwords: p}); err != nil {
		return err
	}
	return measured(ctx, m, work)
}

// measured is measuring once the hosts are picked.
func measured(ctx context.Context, m measurement, work func(context.Context, measurement) error) error {
	m.status = ui.NewStage(os.Stderr)
	if forPrograms() {
		m.status = ui.NewStage(nil)
	}
	ctx, stop := untilSignal(ctx)
	defer stop()
	abandon, over := second(ctx)
	defer over()
	m.abandon = abandon
	err := work(ctx, m)
	m.status.Clear()
	var failed *bench.RunError
	var done interface{ ExitStatus() int }
	switch {
	case err == nil, errors.As(err, &done): // what Mage is to be told already
		return err
	case ctx.Err() != nil:
		return mg.Fatal(fleet.ExitCancelled, "interrupted: nothing was recorded")
	case errors.As(err, &failed):
		ui.Errors(guarded(os.Stderr), failed.Report, mg.Verbose())
		fmt.Fprintln(os.Stderr)
		return mg.Fatal(fleet.ExitFailed, "nothing was recorded: "+ui.Summary(failed.Report))
	}
	return failure(err)
}

// second is closed at the first signal after that which ended ctx. Call stop when
// the work is done.
func second(ctx context.Context) (again <-chan struct{}, stop func()) {
	abandoned, done := make(chan struct{}), make(chan struct{})
	var waits sync.WaitGroup
	waits.Go(func() {
		select {
		case <-done:
			return
		case <-ctx.Done():
		}
		got := make(chan os.Signal, 1)
		signal.Notify(got, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
		defer signal.Stop(got)
		select {
		case <-done:
		case <-got:
			close(abandoned)
		}
	})
	return abandoned, func() { close(done); waits.Wait() }
}

// writeJSON writes one line.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
