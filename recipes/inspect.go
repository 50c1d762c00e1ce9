package recipes

import (
	"context"

	"github.com/nixflotilla/flotilla/fleet"
)

// PingHosts asks every host over ssh whether it answers, and how fast (-on=SELECTOR)
//
// Options: -on=SELECTOR, -json.
func PingHosts(ctx context.Context, on *string, json *bool) error {
	asJSON(json)
	return asking(ctx, text(on, everyone), nil, func(ctx context.Context, s session) *fleet.Report {
		return s.fleet.Ping(ctx, s.hosts)
	})
}

// Diff shows what deploying HOST would change against what it runs: packages, units, reboot (-fresh)
func Diff(ctx context.Context, host string, fresh *bool) error {
	anew(fresh)
	return on(ctx, host, func(ctx context.Context, s session) *fleet.Report {
		return s.fleet.Diff(ctx, s.hosts)
	})
}
