package recipes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/magefile/mage/mg"

	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/ui"
)

// action is what a recipe does with the hosts it picked.
type action func(ctx context.Context, s session) *fleet.Report

// session is one recipe at work.
type session struct {
	fleet *fleet.Fleet
	hosts []fleet.Host
	// abandon is closed at the second Ctrl-C.
	abandon <-chan struct{}
}

// on picks hosts, acts on them, shows what happens and what came of it, and
// turns the report into the error that makes Mage exit with the right code.
func on(ctx context.Context, selector string, act action) error {
	shown := &lateSink{}
	f, err := fleet.Open(fleet.Config{Sink: shown})
	if err != nil {
		return failure(err)
	}
	defer f.Close(context.WithoutCancel(ctx))
	hosts, err := f.Inventory.Select(selector)
	if err != nil {
		return failure(err)
	}
	shown.Sink = ui.NewLines(os.Stderr, hosts, mg.Verbose())

	ctx, abandon, stop := interruptible(ctx, os.Stderr)
	defer stop()
	report := act(ctx, session{fleet: f, hosts: hosts, abandon: abandon})
	if report == nil {
		return nil
	}
	return show(report)
}

// lateSink is a sink whose destination is known once the hosts are.
type lateSink struct{ fleet.Sink }

// show writes the report, errors last, and returns the error for Mage.
func show(r *fleet.Report) error {
	for _, res := range r.Results {
		if res.Difference != nil {
			ui.Difference(os.Stdout, res)
		}
	}
	if len(r.Results) > 1 {
		ui.Report(os.Stdout, r)
	}
	code := r.ExitCode()
	if code == fleet.ExitOK {
		fmt.Fprintln(os.Stdout, ui.Summary(r))
		return nil
	}
	ui.Errors(os.Stderr, r, mg.Verbose())
	fmt.Fprintln(os.Stderr)
	return mg.Fatal(code, ui.Summary(r))
}

// failure is the error for Mage of a run that never began.
func failure(err error) error {
	var several interface{ Unwrap() []error }
	if errors.As(err, &several) {
		var lines []string
		for _, e := range several.Unwrap() {
			lines = append(lines, e.Error())
		}
		err = errors.New(strings.Join(lines, "\n       "))
	}
	return mg.Fatal(fleet.ExitFailed, err)
}
