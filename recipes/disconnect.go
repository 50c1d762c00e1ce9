package recipes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/ui"
)

// Disconnect ends the ssh connections that are kept for later runs (-on=SELECTOR)
//
// Options: -on=SELECTOR, -json.
// Without -on also those to jump hosts, and of other fleets of this user. What a
// run still does over one comes to its end. Unused ones end by themselves, after
// ssh.persist (10 minutes).
func Disconnect(ctx context.Context, on *string, json *bool) error {
	asJSON(json)
	if on != nil && strings.TrimSpace(*on) == "" {
		return failure(errors.New("-on names no host: leave it out for all connections"))
	}
	f, err := open(fleet.Config{})
	if err != nil {
		return failure(err)
	}
	defer f.Close(context.WithoutCancel(ctx))
	if err := strayHost(words(), text(on, everyone), f.Inventory); err != nil {
		return failure(err)
	}
	check := fleet.Check{Name: "disconnect"}
	began := time.Now()
	err = put(ctx, func(ctx context.Context, s session) error {
		if on == nil {
			return disconnectAll(ctx, f, &check)
		}
		hosts, err := f.Select(ctx, *on)
		if err != nil {
			return err
		}
		return disconnect(ctx, f, hosts, &check)
	}, session{fleet: f})
	if err != nil {
		return err
	}
	check.Duration = time.Since(began)
	if forPrograms() {
		ui.JSONChecks(os.Stdout, []fleet.Check{check})
	} else {
		fmt.Fprintln(guarded(os.Stdout), check.Text)
	}
	if len(check.Problems) > 0 {
		return failure(errors.Join(check.Problems...))
	}
	return nil
}

func disconnectAll(ctx context.Context, f *fleet.Fleet, check *fleet.Check) error {
	ended, ending, err := f.DisconnectAll(ctx)
	if err != nil {
		check.Problems = append(check.Problems, err)
	}
	switch {
	case ended+ending > 0:
		check.Text = fmt.Sprintf("ended: %d", ended)
	case err == nil:
		check.Text = "no connection was kept"
	}
	if ending > 0 {
		check.Text += fmt.Sprintf("; ending with what still goes on: %d", ending)
	}
	return nil
}

func disconnect(ctx context.Context, f *fleet.Fleet, hosts []fleet.Host, check *fleet.Check) error {
	all, err := f.Disconnect(ctx, hosts)
	if err != nil {
		return err
	}
	var lines [3][]string
	for _, d := range all {
		switch {
		case d.Err != nil:
			check.Problems = append(check.Problems, d.Err)
		case d.Ended:
			lines[0] = append(lines[0], d.Host)
		case d.Kept:
			lines[1] = append(lines[1], d.Host)
		default:
			lines[2] = append(lines[2], d.Host)
		}
	}
	var parts []string
	for i, what := range []string{"ended: ", "ending with what still goes on: ", "none was kept: "} {
		if len(lines[i]) > 0 {
			parts = append(parts, what+strings.Join(lines[i], ", "))
		}
	}
	check.Text = strings.Join(parts, "; ")
	return nil
}
