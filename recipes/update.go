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

// UpdateInput updates the flake's input NAME ('*': all) in flake.lock, and says what changed
//
// Options: -json. Nothing is committed. If it fails or is interrupted, flake.lock
// is as it was.
func UpdateInput(ctx context.Context, name string, json *bool) error {
	asJSON(json)
	if name = strings.TrimSpace(name); name == "" {
		return failure(fmt.Errorf("no input given: name one, or %q for all", fleet.AllInputs))
	}
	f, err := open(fleet.Config{})
	if err != nil {
		return failure(err)
	}
	defer f.Close(context.WithoutCancel(ctx))
	var u fleet.InputUpdate
	ctx, stop := untilSignal(ctx)
	defer stop()
	switch u, err = f.UpdateInput(ctx, name); {
	case err != nil && ctx.Err() != nil && !errors.Is(err, fleet.ErrLockChanged):
		return mg.Fatal(fleet.ExitCancelled, "interrupted: flake.lock is as it was")
	case err != nil:
		return failure(err)
	}
	if forPrograms() {
		ui.JSONInputs(os.Stdout, u)
		return nil
	}
	ui.Inputs(guarded(os.Stdout), u)
	if len(u.Changes) == 0 {
		return nil
	}
	note := "flake.lock is written and not committed"
	if u.WasDirty {
		note += "; it had uncommitted changes before, which are kept"
	}
	fmt.Fprintf(os.Stderr, "%s.\nWhat it does to a host: diff HOST; whether all still build: testAllParallel.\n", note)
	return nil
}
