package recipes

import (
	"context"

	"github.com/nixflotilla/flotilla/fleet"
)

// Deploy brings HOST to what the flake wants: build, copy, activate, verify (-force: also if unchanged)
//
// Options: -dry, -json, -force, -fresh, -boot: activates nothing, and makes it the system that
// boots next. -reboot: asks first (-yes), and then also reboots a host whose new
// system needs that.
func Deploy(ctx context.Context, host string, dry, json, force, boot, reboot, yes, fresh *bool) error {
	asJSON(json)
	anew(fresh)
	opt := fleet.DeployOptions{Force: is(force), Boot: is(boot), Reboot: is(reboot)}
	return asking(ctx, host, becoming(meant(host, aboutReboot(reboot, yes, dry))), deploy(opt, dry))
}

// QuickDeploy deploys HOST only if it does not run and boot what the flake wants, and says why
//
// Options: -dry, -json, -fresh, -reboot. With -reboot it asks first (-yes), and then also
// reboots a host whose new system needs that.
func QuickDeploy(ctx context.Context, host string, dry, json, reboot, yes, fresh *bool) error {
	asJSON(json)
	anew(fresh)
	return asking(ctx, host, becoming(aboutReboot(reboot, yes, dry)), deploy(fleet.DeployOptions{Reboot: is(reboot)}, dry))
}

// DeployFast deploys HOST with the least work, leaving out its health checks
//
// Options: -dry, -json.
// For the rest it is QuickDeploy: what has not changed is neither evaluated again,
// nor built, copied or activated.
func DeployFast(ctx context.Context, host string, dry, json *bool) error {
	asJSON(json)
	return asking(ctx, host, becoming(nil), deploy(fleet.DeployOptions{SkipHealth: true}, dry))
}

// DeployLocalBuild builds HOST's system here, whatever its build-host is, and deploys it
//
// Options: -dry, -json.
// For slow networks: what is copied is what has changed, and no derivations.
func DeployLocalBuild(ctx context.Context, host string, dry, json *bool) error {
	asJSON(json)
	return asking(ctx, host, becoming(nil), deploy(fleet.DeployOptions{BuildHost: fleet.BuildHere}, dry))
}

// DeployCached deploys HOST, fetching what can be from the fleet's own cache
//
// Options: -dry, -json.
// The cache is [cache] in fleet.toml. One that is down costs its connect timeout,
// 5 seconds, and a warning. The system is built here, whatever its build-host is.
func DeployCached(ctx context.Context, host string, dry, json *bool) error {
	asJSON(json)
	return asking(ctx, host, becoming(hasCache), deploy(fleet.DeployOptions{FromCache: true}, dry))
}

// EmergencyDeploy asks, then deploys HOST now: no test before, no health checks after (-yes)
//
// Options: -yes, -dry, -json, -noRollback. It takes no wave. What boots is changed only
// after the new system was seen live, as ever. A system that fails, or cannot be
// reached, is rolled back unless -noRollback leaves it live.
func EmergencyDeploy(ctx context.Context, host string, yes, dry, json, noRollback *bool) error {
	asJSON(json)
	return asking(ctx, host, becoming(about("Deploy %s now, without testing first?", yes, dry)), deploy(fleet.DeployOptions{SkipHealth: true, NoRollback: is(noRollback)}, dry))
}

// DeployAll asks, then deploys all hosts in turn, up to the first that fails (-keepGoing: past it)
//
// Options: -on=SELECTOR, -yes, -dry, -json, -force, -keepGoing, -fresh, -reboot: also reboots
// those that need it, each before the next is deployed. The hosts behind
// the one that failed are not contacted, and reported as skipped. The turns are
// those of the waves in fleet.toml's [rollout], of which nothing else applies here.
func DeployAll(ctx context.Context, on *string, yes, dry, json, force, keepGoing, reboot, fresh *bool) error {
	asJSON(json)
	anew(fresh)
	opt := fleet.DeployOptions{Force: is(force), Order: fleet.UntilFailure, Reboot: is(reboot)}
	ask := about("Deploy %s one after the other, up to the first that fails"+andReboot(reboot)+"?", yes, dry)
	if is(keepGoing) {
		opt.Order = fleet.InTurn
		ask = about("Deploy %s one after the other, going on after failures"+andReboot(reboot)+"?", yes, dry)
	}
	return asking(ctx, text(on, everyone), becoming(ask), deploy(opt, dry))
}

// DeployAllParallel asks, then deploys all hosts at once, each on its own (-on=SELECTOR, -yes)
//
// Options: -on=SELECTOR, -yes, -dry, -json, -force, -fresh, -reboot: also reboots those that
// need it, as part of their wave. It follows [rollout] in
// fleet.toml, if there is one: waves, pauses between them, and after how many
// failures to stop.
func DeployAllParallel(ctx context.Context, on *string, yes, dry, json, force, reboot, fresh *bool) error {
	asJSON(json)
	anew(fresh)
	opt := fleet.DeployOptions{Force: is(force), Order: fleet.InWaves, Reboot: is(reboot)}
	return asking(ctx, text(on, everyone), becoming(aboutWaves("Deploy %s"+andReboot(reboot)+"?", yes, dry)), deploy(opt, dry))
}

// deploy is the action that deploys the hosts, or with dry only works out what
// that would do.
func deploy(opt fleet.DeployOptions, dry *bool) action {
	return func(ctx context.Context, s session) *fleet.Report {
		opt.Abandon = s.abandon
		if is(dry) {
			return s.fleet.Plan(ctx, s.hosts, opt)
		}
		return s.fleet.Deploy(ctx, s.hosts, opt)
	}
}

// hasCache asks nobody: it wants the fleet to have a cache of its own.
func hasCache(_ context.Context, s session) error { return s.fleet.Inventory.NeedCache() }
