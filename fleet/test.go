package fleet

import (
	"context"
)

// TestOptions are options of Fleet.Test. The zero value is useful.
type TestOptions struct {
	// ShowTrace makes evaluation errors carry Nix's trace.
	ShowTrace bool
	// Fresh evaluates anew, without what earlier runs and Nix's own cache know.
	Fresh bool
	// Order says which hosts are tested at the same time.
	Order Order
	// Push brings what was built here to the fleet's cache as well, if Inventory.Cache
	// says where to. A host whose system cannot be brought there fails if RequirePush is
	// set there.
	Push bool
}

// Test evaluates and builds each host's system where Host.BuildHost says; no
// other host is contacted. The built system is kept from the garbage collector
// there until the host's next build.
func (f *Fleet) Test(ctx context.Context, hosts []Host, opt TestOptions) *Report {
	f.announce(hosts, StepEvaluate, StepBuild)
	return f.runIn(ctx, opt.Order, hosts, func(ctx context.Context, j *job) (Outcome, error) {
		j.keepBuilt = true
		if opt.Push {
			if err := j.fleet.Inventory.Cache.checkPush(); err != nil {
				return "", j.stepError(StepPush, err)
			}
		}
		j.expect(StepEvaluate, StepBuild)
		evaluate := j.evaluate
		if opt.Fresh {
			evaluate = j.evaluateAfresh
		}
		ev, err := evaluate(ctx, opt.ShowTrace)
		if err != nil {
			return "", err
		}
		if err := j.build(ctx, ev); err != nil {
			return "", err
		}
		j.set(func(r *Result) { r.Reason = short(ev.Toplevel) })
		if opt.Push {
			if err := j.startPush(ctx, ev.Toplevel).wait(); err != nil {
				return "", err
			}
		}
		return Built, nil
	})
}
