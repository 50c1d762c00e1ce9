package recipes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"time"

	"github.com/bitfield/script"
	"github.com/magefile/mage/mg"

	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/ui"
	"github.com/nixflotilla/flotilla/nixcmd"
)

// CheckSyntax parses every tracked .nix file; lists all errors with file, line, column
//
// Options: -json. Outside of a Git work tree it takes all .nix files below the
// working directory.
func CheckSyntax(ctx context.Context, json *bool) error {
	asJSON(json)
	began := time.Now()
	ctx, stop := untilSignal(ctx)
	defer stop()
	nix := nixcmd.New(nixcmd.Config{})
	files, err := nixFiles(ctx, nix)
	var bad []nixcmd.SyntaxError
	if err == nil {
		bad, err = nix.CheckSyntax(ctx, files)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return mg.Fatal(fleet.ExitCancelled, "interrupted")
	case err != nil:
		return failure(err)
	}
	return syntaxErrors(bad, len(files), time.Since(began))
}

// syntaxErrors tells what is wrong with which of the files.
func syntaxErrors(bad []nixcmd.SyntaxError, files int, took time.Duration) error {
	check := fleet.Check{Name: "checkSyntax", Duration: took}
	for _, e := range bad {
		check.Problems = append(check.Problems, e)
		if !forPrograms() {
			ui.Problem(guarded(os.Stdout), e)
		}
	}
	if forPrograms() {
		ui.JSONChecks(os.Stdout, []fleet.Check{check})
	}
	if len(bad) > 0 {
		return mg.Fatal(fleet.ExitFailed, fmt.Sprintf("%d of %d files have errors, %s", len(bad), files, ui.Seconds(took)))
	}
	if !forPrograms() {
		fmt.Fprintf(os.Stdout, "%d files without syntax errors, %s\n", files, ui.Seconds(took))
	}
	return nil
}

// nixFiles lists the .nix files at and below the working directory, relative to
// it: those that Git tracks, or all where there is no Git.
func nixFiles(ctx context.Context, nix *nixcmd.Client) ([]string, error) {
	files, err := nix.TrackedFiles(ctx)
	if errors.Is(err, nixcmd.ErrNoGit) {
		files, err = script.FindFiles(".").Slice()
	}
	if err != nil {
		return nil, err
	}
	return script.Slice(files).MatchRegexp(regexp.MustCompile(`\.nix$`)).Slice()
}

// Validate checks inventory, hosts, flake and its lib.validate*, building nothing
//
// Options: -on=SELECTOR, -json, -fresh. Warnings and failed assertions are listed per
// host, also of hosts that are not evaluated again because nothing they read changed.
func Validate(ctx context.Context, on *string, json, fresh *bool) error {
	asJSON(json)
	anew(fresh)
	var v *fleet.Validation
	err := asking(ctx, text(on, everyone), nil, func(ctx context.Context, s session) *fleet.Report {
		v = s.fleet.Validate(ctx, s.hosts)
		if forPrograms() {
			ui.JSONChecks(os.Stdout, v.Checks) // the report is the last line
		}
		return v.Hosts
	})
	if v == nil {
		return err
	}
	if !forPrograms() {
		ui.Checks(guarded(os.Stdout), guarded(os.Stderr), v.Checks)
	}
	if onActions() && !forPrograms() {
		if err := ui.ActionsChecks(os.Stderr, os.Getenv("GITHUB_STEP_SUMMARY"), v.Checks); err != nil {
			fmt.Fprintln(os.Stderr, ui.Harmless(err.Error(), true))
		}
	}
	if code := v.ExitCode(); code != fleet.ExitOK {
		return mg.Fatal(code, ui.Summary(v.Hosts)+"; "+ui.CheckSummary(v.Checks))
	}
	return nil
}

// forPrograms reports whether standard output is to hold JSON lines only.
func forPrograms() bool { return os.Getenv("FLOTILLA_JSON") == "1" }
