package recipes

import (
	"context"

	"github.com/nixflotilla/flotilla/fleet"
)

// Deploy brings HOST to what the flake wants: build, copy, activate, verify (-force: also if unchanged)
func Deploy(ctx context.Context, host string, force *bool) error {
	return on(ctx, host, deploy(fleet.DeployOptions{Force: is(force)}))
}

// QuickDeploy deploys HOST only if it does not run and boot what the flake wants, and says why
func QuickDeploy(ctx context.Context, host string) error {
	return on(ctx, host, deploy(fleet.DeployOptions{}))
}

// DeployFast deploys HOST with the least work, leaving out its health checks
//
// For the rest it is QuickDeploy: what has not changed is neither evaluated again,
// nor built, copied or activated.
func DeployFast(ctx context.Context, host string) error {
	return on(ctx, host, deploy(fleet.DeployOptions{SkipHealth: true}))
}

// DeployLocalBuild builds HOST's system here, copies its closure there and activates it
//
// Every deployment builds here today; this target stays with that.
func DeployLocalBuild(ctx context.Context, host string) error {
	return on(ctx, host, deploy(fleet.DeployOptions{}))
}

// DeployCached deploys HOST, fetching what can be from the fleet's own cache
//
// The cache is [cache] in fleet.toml. One that is down costs its connect timeout,
// 5 seconds, and a warning.
func DeployCached(ctx context.Context, host string) error {
	return asking(ctx, host, hasCache, deploy(fleet.DeployOptions{FromCache: true}))
}

// EmergencyDeploy asks, then deploys HOST now: no test before, no health checks after (-yes)
//
// It takes no wave. What boots is changed only after the new system was seen
// live, as ever.
func EmergencyDeploy(ctx context.Context, host string, yes *bool) error {
	return asking(ctx, host, about("Deploy %s now, without testing first?", is(yes)), deploy(fleet.DeployOptions{SkipHealth: true}))
}

// DeployAll asks, then deploys all hosts in turn, up to the first that fails (-keepGoing: past it)
//
// Options: -on=SELECTOR, -yes, -force, -json. The hosts behind the one that
// failed are not contacted, and reported as skipped. The turns are those of the
// waves in fleet.toml's [rollout], of which nothing else applies here.
func DeployAll(ctx context.Context, on *string, yes, force, keepGoing, json *bool) error {
	asJSON(json)
	opt := fleet.DeployOptions{Force: is(force), Order: fleet.UntilFailure}
	ask := about("Deploy %s one after the other, up to the first that fails?", is(yes))
	if is(keepGoing) {
		opt.Order = fleet.InTurn
		ask = about("Deploy %s one after the other, going on after failures?", is(yes))
	}
	return asking(ctx, text(on, everyone), ask, deploy(opt))
}

// DeployAllParallel asks, then deploys all hosts at once, each on its own (-on=SELECTOR, -yes)
//
// Options: -on=SELECTOR, -yes, -force, -json. It follows [rollout] in fleet.toml,
// if there is one: waves, pauses between them, and after how many failures to stop.
func DeployAllParallel(ctx context.Context, on *string, yes, force, json *bool) error {
	asJSON(json)
	return asking(ctx, text(on, everyone), aboutWaves("Deploy %s?", is(yes)), deploy(fleet.DeployOptions{Force: is(force), Order: fleet.InWaves}))
}

// deploy is the action that deploys the hosts.
func deploy(opt fleet.DeployOptions) action {
	return func(ctx context.Context, s session) *fleet.Report {
		opt.Abandon = s.abandon
		return s.fleet.Deploy(ctx, s.hosts, opt)
	}
}

// hasCache asks nobody: it wants the fleet to have a cache of its own.
func hasCache(_ context.Context, s session) error { return s.fleet.Inventory.NeedCache() }
