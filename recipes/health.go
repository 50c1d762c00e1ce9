package recipes

import (
	"context"

	"github.com/nixflotilla/flotilla/fleet"
)

// Health makes every host's health checks, once each, and changes nothing (-on=SELECTOR)
//
// Options: -on=SELECTOR, -json, -wait. The checks are [health] in fleet.toml. With
// -wait they are tried as after a deployment: until they have had their successes
// in a row, or the deadline. A host with no checks need only answer.
func Health(ctx context.Context, on *string, wait, json *bool) error {
	asJSON(json)
	return asking(ctx, text(on, everyone), nil, func(ctx context.Context, s session) *fleet.Report {
		return s.fleet.Health(ctx, s.hosts, fleet.HealthOptions{Wait: is(wait)})
	})
}
