package recipes

import (
	"context"

	"github.com/nixflotilla/flotilla/fleet"
)

// Deploy brings HOST to what the flake wants: build, copy, activate, verify (-force: also if unchanged)
//
// Options: -dry, -json, -force, -fresh, -boot: activates nothing, and makes it the system that
// boots next. -test: activates it, and leaves what boots. -reboot: asks first (-yes),
// and then also reboots a host whose new system needs that. -specialisation=NAME: runs
// that one of the system's specialisations ("": none). -noCheck: switches also if
// the system's own checks, its switch inhibitors among them, would refuse.
// -toplevel=PATH: evaluates nothing, and deploys that system, which was built elsewhere;
// one of another host is refused unless -otherHost is given.
func Deploy(ctx context.Context, host string, dry, json, force, boot, reboot, yes, fresh, test, noCheck *bool, specialisation, toplevel *string, otherHost *bool) error {
	asJSON(json)
	anew(fresh)
	opt := fleet.DeployOptions{Force: is(force), Boot: is(boot), Reboot: is(reboot), ActivateOnly: is(test), NoCheck: is(noCheck), Specialisation: specialisation, OtherHost: is(otherHost)}
	if err := together(opt); err != nil {
		return err
	}
	system, err := systemOf(toplevel)
	if err != nil {
		return err
	}
	return asking(ctx, host, becoming(ofOne(system, meant(host, aboutReboot(reboot, yes, dry)))), deployOne("deploy", system, opt, dry))
}

// QuickDeploy deploys HOST only if it does not run and boot what the flake wants, and says why
//
// Options: -dry, -json, -fresh, -reboot, -specialisation=NAME, -noCheck. With -reboot it
// asks first (-yes), and then also reboots a host whose new system needs that.
func QuickDeploy(ctx context.Context, host string, dry, json, reboot, yes, fresh, noCheck *bool, specialisation *string) error {
	asJSON(json)
	anew(fresh)
	opt := fleet.DeployOptions{Reboot: is(reboot), NoCheck: is(noCheck), Specialisation: specialisation}
	if err := together(opt); err != nil {
		return err
	}
	return asking(ctx, host, becoming(aboutReboot(reboot, yes, dry)), deploy("quickDeploy", opt, dry))
}

// together is the error of options that do not go together, nil if they do.
func together(opt fleet.DeployOptions) error {
	if err := opt.Check(); err != nil {
		return failure(err)
	}
	return nil
}

// DeployFast deploys HOST with the least work, leaving out its health checks
//
// Options: -dry, -json, -specialisation=NAME.
// For the rest it is QuickDeploy: what has not changed is neither evaluated again,
// nor built, copied or activated.
func DeployFast(ctx context.Context, host string, dry, json *bool, specialisation *string) error {
	asJSON(json)
	return asking(ctx, host, becoming(nil), deploy("deployFast", fleet.DeployOptions{SkipHealth: true, Specialisation: specialisation}, dry))
}

// DeployLocalBuild builds HOST's system here, whatever its build-host is, and deploys it
//
// Options: -dry, -json, -specialisation=NAME.
// For slow networks: what is copied is what has changed, and no derivations.
func DeployLocalBuild(ctx context.Context, host string, dry, json *bool, specialisation *string) error {
	asJSON(json)
	return asking(ctx, host, becoming(nil), deploy("deployLocalBuild", fleet.DeployOptions{BuildHost: fleet.BuildHere, Specialisation: specialisation}, dry))
}

// DeployCached deploys HOST, which fetches from the fleet's own cache what it can
//
// Options: -dry, -json, -specialisation=NAME, -toplevel=PATH, -otherHost (see deploy).
// The cache is [cache] in fleet.toml. The build here fetches from it as well, and is done
// here, whatever the host's build-host is. The host takes what is signed by a key that it
// trusts; the rest is sent from here. A cache that does not answer is left out.
func DeployCached(ctx context.Context, host string, dry, json *bool, specialisation, toplevel *string, otherHost *bool) error {
	asJSON(json)
	system, err := systemOf(toplevel)
	if err != nil {
		return err
	}
	opt := fleet.DeployOptions{FromCache: true, Specialisation: specialisation, OtherHost: is(otherHost)}
	return asking(ctx, host, becoming(ofOne(system, hasCache)), deployOne("deployCached", system, opt, dry))
}

// EmergencyDeploy asks, then deploys HOST now: no test before, no health checks after (-yes)
//
// Options: -yes, -dry, -json, -noRollback, -noCheck, -specialisation=NAME. It takes no wave. What boots is changed only
// after the new system was seen live, as ever. A system that fails, or cannot be
// reached, is rolled back unless -noRollback leaves it live.
func EmergencyDeploy(ctx context.Context, host string, yes, dry, json, noRollback, noCheck *bool, specialisation *string) error {
	asJSON(json)
	return asking(ctx, host, becoming(about("Deploy %s now, without testing first?", yes, dry)), deploy("emergencyDeploy", fleet.DeployOptions{SkipHealth: true, NoRollback: is(noRollback), NoCheck: is(noCheck), Specialisation: specialisation}, dry))
}

// DeployAll asks, then deploys all hosts in turn, up to the first that fails (-keepGoing: past it)
//
// Options: -on=SELECTOR, -yes, -dry, -json, -force, -keepGoing, -fresh, -reboot: also reboots
// those that need it, each before the next is deployed. The hosts behind
// the one that failed are not contacted, and reported as skipped. The turns are
// those of the waves in fleet.toml's [rollout], of which nothing else applies here.
// -prebuilt=FILE: evaluates nothing, and deploys the systems that the file has for hosts,
// as buildAllParallel prints them; those of other hosts are refused unless -otherHost is given.
func DeployAll(ctx context.Context, on *string, yes, dry, json, force, keepGoing, reboot, fresh *bool, prebuilt *string, otherHost *bool) error {
	asJSON(json)
	anew(fresh)
	opt := fleet.DeployOptions{Force: is(force), Order: fleet.UntilFailure, Reboot: is(reboot), OtherHost: is(otherHost)}
	hosts, err := prebuiltFrom(prebuilt, on, &opt)
	if err != nil {
		return err
	}
	ask := about("Deploy %s one after the other, up to the first that fails"+andReboot(reboot)+"?", yes, dry)
	if is(keepGoing) {
		opt.Order = fleet.InTurn
		ask = about("Deploy %s one after the other, going on after failures"+andReboot(reboot)+"?", yes, dry)
	}
	return asking(ctx, hosts, becoming(ask), deploy("deployAll", opt, dry))
}

// DeployAllParallel asks, then deploys all hosts at once, each on its own (-on=SELECTOR, -yes)
//
// Options: -on=SELECTOR, -yes, -dry, -json, -force, -fresh, -reboot: also reboots those that
// need it, as part of their wave. It follows [rollout] in
// fleet.toml, if there is one: waves, pauses between them, and after how many
// failures to stop. -prebuilt=FILE, -otherHost: as with deployAll.
func DeployAllParallel(ctx context.Context, on *string, yes, dry, json, force, reboot, fresh *bool, prebuilt *string, otherHost *bool) error {
	asJSON(json)
	anew(fresh)
	opt := fleet.DeployOptions{Force: is(force), Order: fleet.InWaves, Reboot: is(reboot), OtherHost: is(otherHost)}
	hosts, err := prebuiltFrom(prebuilt, on, &opt)
	if err != nil {
		return err
	}
	return asking(ctx, hosts, becoming(aboutWaves("Deploy %s"+andReboot(reboot)+"?", yes, dry)), deploy("deployAllParallel", opt, dry))
}

// deploy is the action of a target that deploys the hosts, or with dry only works
// out what that would do.
func deploy(target string, opt fleet.DeployOptions, dry *bool) action {
	if is(dry) {
		return func(ctx context.Context, s session) *fleet.Report {
			opt.Abandon = s.abandon
			return s.fleet.Plan(ctx, s.hosts, opt)
		}
	}
	return kept(target, true, func(ctx context.Context, s session) *fleet.Report {
		opt.Abandon = s.abandon
		return s.fleet.Deploy(ctx, s.hosts, opt)
	})
}

// hasCache asks nobody: it wants the fleet to have a cache of its own.
func hasCache(_ context.Context, s session) error { return s.fleet.Inventory.NeedCache() }
