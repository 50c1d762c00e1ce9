package recipes

import (
	"context"

	"github.com/nixflotilla/flotilla/fleet"
)

// TestHost evaluates and builds HOST without deploying it, with Nix's trace if that fails
//
// Options: -json, -fresh.
func TestHost(ctx context.Context, host string, json, fresh *bool) error {
	asJSON(json)
	anew(fresh)
	return on(ctx, host, test("testHost", fleet.TestOptions{ShowTrace: true}))
}

// TestAll evaluates and builds all hosts in turn, without deploying any (-on=SELECTOR)
//
// Options: -on=SELECTOR, -json, -fresh. A failure does not end it.
func TestAll(ctx context.Context, on *string, json, fresh *bool) error {
	asJSON(json)
	anew(fresh)
	return asking(ctx, text(on, everyone), nil, test("testAll", fleet.TestOptions{Order: fleet.InTurn}))
}

// TestAllParallel evaluates and builds all hosts at once, without deploying any (-on=SELECTOR)
//
// Options: -on=SELECTOR, -json, -fresh.
func TestAllParallel(ctx context.Context, on *string, json, fresh *bool) error {
	asJSON(json)
	anew(fresh)
	return asking(ctx, text(on, everyone), nil, test("testAllParallel", fleet.TestOptions{}))
}

// QuickTest evaluates and builds all hosts at once; another name of testAllParallel
//
// Options: -on=SELECTOR, -json, -fresh.
func QuickTest(ctx context.Context, on *string, json, fresh *bool) error {
	return TestAllParallel(ctx, on, json, fresh)
}

// test is the action that evaluates and builds the hosts.
func test(target string, opt fleet.TestOptions) action {
	return kept(target, false, func(ctx context.Context, s session) *fleet.Report { return s.fleet.Test(ctx, s.hosts, opt) })
}
