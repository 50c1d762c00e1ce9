package fleet

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// DeployOptions are options of Fleet.Deploy. The zero value is useful.
type DeployOptions struct {
	// Force activates a host also if it already runs what is wanted.
	Force bool
	// Order says which hosts are deployed at the same time. In turn they are taken
	// wave by wave, if Inventory.Rollout has waves.
	Order Order
	// Tested is the report of a Test: each host is brought to the system that was
	// built there, and the flake is not evaluated again, whatever it says by
	// now. A host that was not Built there fails untouched. nil means what the
	// flake says now.
	Tested *Report
	// Prebuilt are systems by the names of hosts: each host is brought to the system
	// that is given for it, and the flake is not evaluated. A host for which none is
	// given fails untouched, and so does one whose system cannot be found, is no NixOS
	// system, or, unless OtherHost is set, is made for another host, where that can be
	// told. nil means what the flake says. It does not go with Tested. All that protects
	// a host does so as ever.
	Prebuilt  map[string]Prebuilt
	OtherHost bool
	// FromCache lets builds fetch from Inventory.Cache besides Nix's own substituters,
	// and hosts fetch from it what is signed by a key that they trust; the rest is sent
	// from here. Without such a cache every host fails untouched. A cache that does not
	// answer is left out, with a warning.
	FromCache bool
	// BuildHost takes the place of every Host.BuildHost in this run; empty leaves
	// them as they are. With FromCache, what is not yet built is built here: Nix
	// hands no substituter on to another machine.
	BuildHost string
	// Boot makes the system the one that boots next, and activates nothing: the host
	// is then Staged. One that already boots it is Unchanged, whatever it runs.
	Boot bool
	// ActivateOnly makes the system live, and leaves the profile and what boots as they
	// are, as `nixos-rebuild test` does: the host is then Activated. One that already
	// runs it is Unchanged, whatever it boots. It goes with neither Boot nor Reboot.
	ActivateOnly bool
	// Specialisation takes the place of every Host.Specialisation in this run; nil
	// leaves them as they are, and "" is the system itself. It does not go with Boot.
	// A host whose system has none of that name fails untouched, with those it has.
	Specialisation *string
	// NoCheck leaves out what the new system checks before it is switched to, its
	// switch inhibitors among it, as NIXOS_NO_CHECK=1 does. Otherwise a host of which an
	// inhibitor differs is not switched, but Staged.
	NoCheck bool
	// Reboot reboots a host that ended as SwitchedNeedsReboot or Staged, as
	// Fleet.Reboot does; it is then Switched, or what Reboot makes of one that does
	// not come back well. A host that was Unchanged is not rebooted. Plans do not
	// heed it.
	Reboot bool
	// NoRollback leaves the new system live whatever comes of it, also if it is never
	// confirmed. It is made the one that boots only if all went well, as ever.
	NoRollback bool
	// SkipHealth leaves out the checks of Inventory.Health.
	SkipHealth bool
	// Abandon, when closed, stops the wait for activations that are under way:
	// their outcome is then Cancelled, and their error wraps ErrAbandoned and
	// tells how to look after them. They are never interrupted: an activation
	// goes on to its end on the host, but is not committed. nil means every
	// activation is waited for, also after ctx is done.
	Abandon <-chan struct{}
}

// ErrAbandoned says that an activation was under way when its wait was given
// up. It goes on there.
var ErrAbandoned = errors.New("no longer waited for")

// Deploy brings each host to the system that the flake wants: survey and
// evaluate, decide, build, copy, activate, check, verify, and only then make the
// new system the one that boots. A host that already runs and boots it is left
// alone, and one whose store has no room for what must be copied fails before
// anything is. A host that is listed twice is taken once.
//
// The new system becomes the host's profile and boot entry only after it was
// seen live and its health checks have passed. If anything fails before, the system
// that was live is brought back, by the host itself if it cannot be reached, and the
// next boot is into the old one; see Activation. A check that had failed on the old
// system is not held against the new one.
//
// Only one deployment at a time has a host; one that finds another's lock there is
// Locked.
//
// When ctx is done nothing new is started, but an activation that has begun is
// brought to its end; see DeployOptions.Abandon.
func (f *Fleet) Deploy(ctx context.Context, hosts []Host, opt DeployOptions) *Report {
	hosts = distinct(hosts)
	turns := hosts
	switch opt.Order {
	case InWaves:
		return f.deployInWaves(ctx, hosts, opt)
	case InTurn, UntilFailure:
		turns = slices.Concat(f.Inventory.Rollout.Plan(hosts)...)
	case AtOnce:
	}
	r := f.runIn(ctx, opt.Order, turns, func(ctx context.Context, j *job) (Outcome, error) { return j.deploy(ctx, opt) })
	place := func(r Result) int { return slices.IndexFunc(hosts, func(h Host) bool { return h.Name == r.Host.Name }) }
	slices.SortFunc(r.Results, func(a, b Result) int { return place(a) - place(b) })
	return r
}

func (j *job) deploy(ctx context.Context, opt DeployOptions) (Outcome, error) {
	s, plan, err := j.decide(ctx, opt)
	if err != nil {
		return "", err
	}
	j.emit(Event{Kind: KindDecided, Text: plan.Reason, Left: j.decided(plan, opt)})
	if !plan.Deploy {
		j.set(func(r *Result) { r.RebootFor = s.survey.RebootPending })
		return Unchanged, nil
	}
	if err := j.unfit(ctx, s); err != nil {
		return "", j.stepError(StepSurvey, err)
	}
	if err := j.fleet.Inventory.Cache.checkPush(); err != nil {
		return "", j.stepError(StepPush, err)
	}
	if !opt.SkipHealth && (!opt.Boot || opt.Reboot) {
		if j.checkup, err = j.startCheckup(ctx, s); err != nil {
			return "", err
		}
		defer j.checkup.end()
	}
	if err := j.provide(ctx, s, opt); err != nil {
		return "", err
	}
	if err := j.specialise(ctx, &s); err != nil {
		return "", err
	}
	defer func() { j.comparison.end() }()
	pushed := j.startPush(ctx, s.eval.Toplevel)
	defer pushed.wait()
	if j.cache.URL != "" || j.host.SubstituteOnTarget || j.fleet.Inventory.Cache.RequirePush {
		// What is there by then is not sent from here.
		if err := pushed.wait(); err != nil {
			return "", err
		}
	}
	if err := j.copy(ctx, s); err != nil {
		return "", err
	}
	bring := j.activate
	if opt.Boot {
		bring = j.stage
	}
	outcome, err := bring(ctx, s, opt.Abandon)
	j.changed(s, j.comparison.packages)
	if err != nil || !opt.Reboot {
		return outcome, err
	}
	return j.rebootAfter(ctx, s, outcome, opt.Abandon)
}

// provide makes the wanted system be in a store.
func (j *job) provide(ctx context.Context, s surveyed, opt DeployOptions) error {
	switch {
	case opt.Prebuilt != nil:
		return j.obtain(ctx, s, opt)
	case opt.Tested == nil:
		return j.build(ctx, s.eval)
	}
	return nil
}

// decide asks the host and the flake, and says what comes of it.
func (j *job) decide(ctx context.Context, opt DeployOptions) (surveyed, Plan, error) {
	j.host.BuildHost, j.noRollback = or(opt.BuildHost, j.host.BuildHost), opt.NoRollback
	j.noCheck, j.keepsBoot = opt.NoCheck, opt.ActivateOnly
	if err := opt.Check(); err != nil {
		return surveyed{}, Plan{}, j.stepError(StepSurvey, err)
	}
	if opt.Specialisation != nil {
		j.host.Specialisation = *opt.Specialisation
	}
	if opt.Boot {
		j.host.Specialisation = "" // which no boot leads to
	}
	if opt.FromCache {
		if err := j.fleet.Inventory.NeedCache(); err != nil {
			return surveyed{}, Plan{}, j.stepError(StepBuild, err)
		}
		j.host.BuildHost = BuildHere
	}
	asked := func() {}
	if opt.FromCache {
		var cache sync.WaitGroup
		cache.Go(func() { j.useCache(ctx) })
		asked = cache.Wait
	}
	s, err := j.surveyFor(ctx, opt)
	asked()
	if err != nil {
		return s, Plan{}, err
	}
	plan := decide(s.survey, s.eval.Toplevel, j.host.Specialisation, opt.Force)
	switch {
	case opt.Boot:
		plan = decideBoot(s.survey, s.eval.Toplevel, opt.Force)
	case opt.ActivateOnly && !opt.Force && s.survey.runs(s.eval.Toplevel, j.host.Specialisation):
		plan = Plan{false, "it already runs " + specialised(s.eval.Toplevel, j.host.Specialisation)}
	}
	j.set(func(r *Result) { r.Reason = plan.Reason })
	return s, plan, nil
}

// Check says which options do not go together, nil if all do. Deploy and Plan fail every
// host with it, untouched.
func (o DeployOptions) Check() error {
	switch {
	case o.Prebuilt != nil && o.Tested != nil:
		return errors.New("a system is prebuilt, or what a test built, not both")
	case o.ActivateOnly && o.Boot:
		return &hintedError{errors.New("a system is activated only, or made the one that boots only"), "leave one of the two out; a deployment without either does both"}
	case o.ActivateOnly && o.Reboot:
		return &hintedError{errors.New("what is only activated does not outlive a reboot"), "leave one of the two out"}
	case o.Boot && o.Specialisation != nil && *o.Specialisation != "":
		return &hintedError{errors.New("a specialisation can be activated, but not made the one that boots"), "choose it in the boot menu, or deploy it after the boot"}
	case o.Specialisation != nil:
		return CheckSpecialisation(*o.Specialisation)
	}
	return nil
}

// surveyFor asks the host what it runs, and the flake what it wants unless that
// was tested before.
func (j *job) surveyFor(ctx context.Context, opt DeployOptions) (surveyed, error) {
	tested := opt.Tested
	switch {
	case opt.Prebuilt != nil:
		p, err := j.prebuilt(opt)
		if err != nil {
			return surveyed{}, j.stepError(StepEvaluate, err)
		}
		j.set(func(r *Result) { r.Wanted = p.Toplevel })
		conn, s, err := j.connectAndSurvey(ctx)
		return surveyed{conn: conn, survey: s, eval: nixcmd.Evaluation{Toplevel: p.Toplevel}}, err
	case tested == nil:
		return j.surveyAndEvaluate(ctx)
	}
	i := slices.IndexFunc(tested.Results, func(r Result) bool { return r.Host.Name == j.host.Name })
	if i < 0 || tested.Results[i].Outcome != Built {
		return surveyed{}, j.stepError(StepEvaluate, errNotTested)
	}
	wanted := tested.Results[i].Wanted
	j.set(func(r *Result) {
		r.Wanted, r.Build, r.BuiltOn, r.Builders = wanted, tested.Results[i].Build, tested.Results[i].BuiltOn, tested.Results[i].Builders
	})
	conn, s, err := j.connectAndSurvey(ctx)
	return surveyed{conn: conn, survey: s, eval: nixcmd.Evaluation{Toplevel: wanted}}, err
}

var errNotTested = errors.New("its system was not built by the test before")
