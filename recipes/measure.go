package recipes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
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
}

// measuring picks hosts and measures; there is no face, since the runs that are
// measured are not to be disturbed by what shows them. Ctrl-C ends it at once:
// nothing that is measured changes a host.
func measuring(ctx context.Context, selector string, work func(context.Context, measurement) error) error {
	if strings.TrimSpace(selector) == "" {
		return failure(errors.New("no host given: name one, several with commas, or '*' for all"))
	}
	f, err := fleet.Open(fleet.Config{})
	if err != nil {
		return failure(err)
	}
	defer f.Close(context.WithoutCancel(ctx))
	m := measurement{fleet: f, status: ui.NewStage(os.Stderr)}
	if forPrograms() {
		m.status = ui.NewStage(nil)
	}
	pick := func(ctx context.Context, s session) (err error) {
		m.hosts, err = s.fleet.Select(ctx, selector)
		return err
	}
	if err := put(ctx, pick, session{fleet: f}); err != nil {
		return err
	}
	signal.Reset(os.Interrupt, syscall.SIGTERM)
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err = work(ctx, m)
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

// writeJSON writes one line.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
