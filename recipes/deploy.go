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
func DeployAllParallel(ctx context.Context, on *string, yes *bool, force *bool) error {
	ask := func(ctx context.Context, hosts []fleet.Host) error {
		return confirm(ctx, fmt.Sprintf("Deploy %s at once?", names(hosts)), is(yes))
	}
	return asking(ctx, text(on, everyone), ask, func(ctx context.Context, s session) *fleet.Report {
		return s.fleet.Deploy(ctx, s.hosts, fleet.DeployOptions{Force: is(force), Abandon: s.abandon})
	})
}

// confirm asks a person, unless the answer was given beforehand.
func confirm(ctx context.Context, question string, yes bool) error {
	if yes || os.Getenv("FLOTILLA_YES") == "1" {
		return nil
	}
	return ui.Confirm(ctx, os.Stdin, os.Stderr, question)
}
