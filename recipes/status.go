package recipes

import (
	"context"

	"github.com/nixflotilla/flotilla/fleet"
)

// Status shows how every host is: what it runs, whether the flake wants that, failed units (-on=SELECTOR)
//
// Options: -on=SELECTOR, -fast: asks the hosts only, not what the flake wants;
// -json. Of a single host it shows all there is.
func Status(ctx context.Context, on *string, fast, json *bool) error {
	asJSON(json)
	return asking(ctx, text(on, everyone), nil, func(ctx context.Context, s session) *fleet.Report {
		return s.fleet.Status(ctx, s.hosts, fleet.StatusOptions{HostsOnly: is(fast)})
	})
}
