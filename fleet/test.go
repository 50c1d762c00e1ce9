package fleet

import "context"

// TestOptions are options of Fleet.Test. The zero value is useful.
type TestOptions struct {
	// ShowTrace makes evaluation errors carry Nix's trace.
	ShowTrace bool
	// Order says which hosts are tested at the same time.
	Order Order
}

// Test evaluates and builds each host's system, here, and contacts no host. The
// built system is kept from the garbage collector until the host's next build.
func (f *Fleet) Test(ctx context.Context, hosts []Host, opt TestOptions) *Report {
	f.announce(hosts, StepEvaluate, StepBuild)
	return f.runIn(ctx, opt.Order, hosts, func(ctx context.Context, j *job) (Outcome, error) {
		j.expect(StepEvaluate, StepBuild)
		ev, err := j.evaluate(ctx, opt.ShowTrace)
		if err != nil {
			return "", err
		}
		if err := j.build(ctx, ev); err != nil {
			return "", err
		}
		j.set(func(r *Result) { r.Reason = short(ev.Toplevel) })
		return Built, nil
	})
}
