package recipes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
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

// everyone is the selector of recipes that are for all hosts.
const everyone = "*"

// on picks hosts, acts on them, shows what happens and what came of it, and
// turns the report into the error that makes Mage exit with the right code.
func on(ctx context.Context, selector string, act action) error {
	return asking(ctx, selector, nil, act)
}

// question asks a person whether to go on; nil means yes.
type question func(ctx context.Context, hosts []fleet.Host) error

// put asks a question, which Ctrl-C ends at once.
func put(ctx context.Context, ask question, hosts []fleet.Host) error {
	signal.Reset(os.Interrupt)
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	switch err := ask(ctx, hosts); {
	case err != nil && ctx.Err() != nil:
		return mg.Fatal(fleet.ExitCancelled, "interrupted: nothing was done")
	case err != nil:
		return failure(err)
	}
	return nil
}

// asking is on, with a question before anything is done; an error of ask ends
// the recipe.
func asking(ctx context.Context, selector string, ask question, act action) error {
	// An unset variable in a script must not mean the whole fleet.
	if strings.TrimSpace(selector) == "" {
		return failure(errors.New("no host given: name one, several with commas, or '*' for all"))
	}
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

	if ask != nil {
		if err := put(ctx, ask, hosts); err != nil {
			return err
		}
	}
	ctx, abandon, stop := interruptible(ctx, os.Stderr)
	defer stop()
	return show(act(ctx, session{fleet: f, hosts: hosts, abandon: abandon}))
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
