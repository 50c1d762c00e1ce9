package recipes

import (
	"context"
	"errors"
	"fmt"

	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/metrics"
	"github.com/nixflotilla/flotilla/internal/ui"
)

// Status shows how every host is: what it runs, whether the flake wants that, failed units (-on=SELECTOR)
//
// Options: -on=SELECTOR, -fast: asks the hosts only, not what the flake wants;
// -json. Of a single host it shows all there is.
func Status(ctx context.Context, on *string, fast, json *bool) error {
	asJSON(json)
	return asking(ctx, text(on, everyone), nil, func(ctx context.Context, s session) *fleet.Report {
		r := s.fleet.Status(ctx, s.hosts, fleet.StatusOptions{HostsOnly: is(fast)})
		if err := s.remember(context.WithoutCancel(ctx), r); err != nil {
			fmt.Fprintln(s.face, ui.Harmless("since when hosts differ is not known: "+err.Error(), onActions()))
		}
		return r
	})
}

// remember notes which hosts differ from the flake, and says since when.
func (s session) remember(ctx context.Context, r *fleet.Report) error {
	differs := metrics.Drifted(r)
	if len(differs) == 0 {
		return nil
	}
	db, err := openHistory(ctx, s.fleet)
	if err != nil {
		return err
	}
	since, err := db.Drift(ctx, r.Started, differs)
	for _, res := range r.Results {
		if res.Status != nil {
			res.Status.DiffersSince = since[res.Host.Name]
		}
	}
	return errors.Join(err, db.Close())
}
