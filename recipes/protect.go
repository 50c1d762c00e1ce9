package recipes

import (
	"context"

	"github.com/nixflotilla/flotilla/fleet"
)

// Confirm confirms by hand a deployment that still waits for it on HOST: what is live becomes what boots
//
// Options: -json.
// A host that is not confirmed in time goes back to the old system by itself. Its
// health is not checked.
func Confirm(ctx context.Context, host string, json *bool) error {
	asJSON(json)
	return asking(ctx, host, becoming(nil), func(ctx context.Context, s session) *fleet.Report { return s.fleet.Confirm(ctx, s.hosts) })
}

// Unlock asks, then removes the lock that a deployment has left on HOST (-yes)
//
// Options: -yes, -json.
// Locks of deployments that are over are taken over by the next one, without this. A
// deployment under way is left alone.
func Unlock(ctx context.Context, host string, yes, json *bool) error {
	asJSON(json)
	return asking(ctx, host, becoming(about("Remove the lock on %s?", yes, nil)), func(ctx context.Context, s session) *fleet.Report {
		return s.fleet.Unlock(ctx, s.hosts)
	})
}
