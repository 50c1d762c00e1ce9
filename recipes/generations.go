package recipes

import (
	"context"

	"github.com/nixflotilla/flotilla/fleet"
)

// Generations shows which systems HOST can go back to: number, age, version, what it runs and boots
//
// Options: -json. It asks the host alone, in one session, and changes nothing.
func Generations(ctx context.Context, host string, json *bool) error {
	asJSON(json)
	return on(ctx, host, func(ctx context.Context, s session) *fleet.Report {
		return s.fleet.Generations(ctx, s.hosts)
	})
}
