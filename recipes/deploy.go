package recipes

import (
	"context"

	"github.com/nixflotilla/flotilla/fleet"
)

// Deploy brings HOST to what the flake wants: build, copy, activate, verify (-force: also if unchanged)
func Deploy(ctx context.Context, host string, force *bool) error {
	return on(ctx, host, deploy(fleet.DeployOptions{Force: is(force)}))
}

// QuickDeploy deploys HOST only if it does not run and boot what the flake wants, and says why (-fresh)
func QuickDeploy(ctx context.Context, host string, fresh *bool) error {
	anew(fresh)
	return on(ctx, host, deploy(fleet.DeployOptions{}))
}

// DeployFast deploys HOST with the least work: no step but those that deploy and protect it
//
// The pipeline has no optional step yet, so that this is QuickDeploy: what has
// not changed is neither evaluated again, nor built, copied or activated.
func DeployFast(ctx context.Context, host string) error {
	return on(ctx, host, deploy(fleet.DeployOptions{}))
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

// EmergencyDeploy asks, then deploys HOST now, without testing it first (-yes)
//
// It leaves out nothing that protects the host: what boots is changed only
// after the new system was seen live.
func EmergencyDeploy(ctx context.Context, host string, yes *bool) error {
	return asking(ctx, host, about("Deploy %s now, without testing first?", is(yes)), deploy(fleet.DeployOptions{}))
}

// DeployAll asks, then deploys all hosts in turn, up to the first that fails (-keepGoing: past it)
//
// Options: -on=SELECTOR, -yes, -force, -fresh, -json. The hosts behind the one that
// failed are not contacted, and reported as skipped.
func DeployAll(ctx context.Context, on *string, yes, force, keepGoing, fresh, json *bool) error {
	asJSON(json)
	anew(fresh)
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
// Options: -on=SELECTOR, -yes, -force, -fresh, -json.
func DeployAllParallel(ctx context.Context, on *string, yes, force, fresh, json *bool) error {
	asJSON(json)
	anew(fresh)
	return asking(ctx, text(on, everyone), about("Deploy %s at once?", is(yes)), deploy(fleet.DeployOptions{Force: is(force)}))
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
