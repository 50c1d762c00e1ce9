package recipes

import (
	"context"

	"github.com/nixflotilla/flotilla/fleet"
)

// Confirm confirms by hand a deployment that still waits for it on HOST: what is live becomes what boots
//
// Options: -json, -noHealth: without its health checks, which are made once each, and
// any of which keeps it from being confirmed. A host that is not confirmed in time
// goes back to the old system by itself.
func Confirm(ctx context.Context, host string, json, noHealth *bool) error {
	asJSON(json)
	return asking(ctx, host, becoming(nil), kept("confirm", true, func(ctx context.Context, s session) *fleet.Report {
		return s.fleet.Confirm(ctx, s.hosts, fleet.ConfirmOptions{SkipHealth: is(noHealth)})
	}))
}

// Unlock asks, then removes the lock that a deployment has left on HOST (-yes)
//
// Options: -yes, -json.
// Locks of deployments that are over are taken over by the next one, without this. A
// deployment under way is left alone.
func Unlock(ctx context.Context, host string, yes, json *bool) error {
	asJSON(json)
	return asking(ctx, host, becoming(about("Remove the lock on %s?", yes, nil)), kept("unlock", true, func(ctx context.Context, s session) *fleet.Report {
		return s.fleet.Unlock(ctx, s.hosts)
	}))
}
