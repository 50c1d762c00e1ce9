package recipes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/ui"
)

// Rollback shows what going back to the system before would do to HOST, asks, and does it (-to=, -yes)
//
// Options: -to=GENERATION (a number or a path, as `generations` shows them), -yes,
// -dry, -json, -specialisation=NAME, -noCheck. It needs neither Nix here nor a flake that evaluates: nothing is
// built or copied. For the rest it is a deployment, health checks included.
func Rollback(ctx context.Context, host string, to *string, yes, dry, json, noCheck *bool, specialisation *string) error {
	asJSON(json)
	opt := fleet.RollbackOptions{To: text(to, ""), NoCheck: is(noCheck), Specialisation: specialisation}
	if err := errors.Join(strayGeneration(words(), host), fleet.CheckGeneration(opt.To), fleet.CheckSpecialisation(text(specialisation, ""))); err != nil {
		return failure(err)
	}
	if to != nil && *to == "" {
		return failure(fmt.Errorf("-to= names no generation; leave it out for the one before"))
	}
	if is(dry) {
		return asking(ctx, host, becoming(nil), planRollback(opt, nil))
	}
	if agreed(yes) {
		return asking(ctx, host, becoming(nil), rollback(opt))
	}
	var given passwords
	askable := func(_ context.Context, s session) error {
		return ui.Askable(os.Stdin, fmt.Sprintf("Roll back %s?", names(s.hosts)))
	}
	err := showing(ctx, host, becoming(askable), planRollback(opt, &opt.Planned), nil, manner{part: part{"plan", true}, passwords: &given})
	// Hosts that cannot be rolled back do not keep the others from it.
	if opt.Planned == nil || opt.Planned.Cancelled || opt.Planned.Count(fleet.Compared) == 0 {
		return err
	}
	var names []string
	for _, r := range opt.Planned.Results {
		names = append(names, r.Host.Name)
	}
	return showing(ctx, strings.Join(names, ","), aboutRollback(opt.Planned), rollback(opt), nil, manner{part: part{name: "rollback"}, passwords: &given})
}

// planRollback works out what rolling back would do; it leaves its report in to,
// if that is not nil.
func planRollback(opt fleet.RollbackOptions, to **fleet.Report) action {
	return func(ctx context.Context, s session) *fleet.Report {
		opt.Abandon = s.abandon
		r := s.fleet.PlanRollback(ctx, s.hosts, opt)
		if to != nil {
			*to = r
		}
		return r
	}
}

// rollback is the action that rolls the hosts back.
func rollback(opt fleet.RollbackOptions) action {
	return kept("rollback", true, func(ctx context.Context, s session) *fleet.Report {
		opt.Abandon = s.abandon
		return s.fleet.Rollback(ctx, s.hosts, opt)
	})
}

// aboutRollback is a question that names which hosts go where.
func aboutRollback(planned *fleet.Report) question {
	return func(ctx context.Context, _ session) error {
		var all []string
		for _, r := range planned.Results {
			if r.Outcome == fleet.Compared {
				all = append(all, fmt.Sprintf("%s to generation %d (from %s to %s)", r.Host.Name, r.Generation.Number, fleet.Short(r.Live), fleet.Short(r.Wanted)))
			}
		}
		question := ui.Harmless(fmt.Sprintf("Roll back %s?", strings.Join(all, ", ")), onActions())
		return ui.Confirm(ctx, os.Stdin, os.Stderr, question)
	}
}
