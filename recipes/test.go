package recipes

import (
	"context"

	"github.com/nixflotilla/flotilla/fleet"
)

// TestHost evaluates and builds HOST without deploying it, with Nix's trace if that fails
func TestHost(ctx context.Context, host string) error {
	return on(ctx, host, func(ctx context.Context, s session) *fleet.Report {
		return s.fleet.Test(ctx, s.hosts, fleet.TestOptions{ShowTrace: true})
	})
}

// TestAllParallel evaluates and builds all hosts at once, without deploying any
func TestAllParallel(ctx context.Context) error {
	return on(ctx, everyone, func(ctx context.Context, s session) *fleet.Report {
		return s.fleet.Test(ctx, s.hosts, fleet.TestOptions{})
	})
}
