package recipes

import (
	"context"
	"fmt"
	"os"

	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/ui"
)

// Deploy brings HOST to what the flake wants: build, copy, activate, verify (-force: also if unchanged)
func Deploy(ctx context.Context, host string, force *bool) error {
	return on(ctx, host, func(ctx context.Context, s session) *fleet.Report {
		return s.fleet.Deploy(ctx, s.hosts, fleet.DeployOptions{Force: is(force), Abandon: s.abandon})
	})
}

// QuickDeploy deploys HOST only if it does not run and boot what the flake wants, and says why
func QuickDeploy(ctx context.Context, host string) error {
	return on(ctx, host, func(ctx context.Context, s session) *fleet.Report {
		return s.fleet.Deploy(ctx, s.hosts, fleet.DeployOptions{Abandon: s.abandon})
	})
}

// DeployAllParallel asks, then deploys all hosts at once, each on its own (-on=SELECTOR, -yes)
func DeployAllParallel(ctx context.Context, on_ *string, yes *bool, force *bool) error {
	var asked error
	err := on(ctx, text(on_), func(ctx context.Context, s session) *fleet.Report {
		if asked = confirm(fmt.Sprintf("Deploy %s at once?", names(s.hosts)), is(yes)); asked != nil {
			return nil
		}
		return s.fleet.Deploy(ctx, s.hosts, fleet.DeployOptions{Force: is(force), Abandon: s.abandon})
	})
	if asked != nil {
		return failure(asked)
	}
	return err
}

// confirm asks a person, unless the answer was given beforehand.
func confirm(question string, yes bool) error {
	if yes || os.Getenv("FLOTILLA_YES") == "1" {
		return nil
	}
	return ui.Confirm(os.Stdin, os.Stderr, question)
}
