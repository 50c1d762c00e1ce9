package recipes

import (
	"context"

	"github.com/nixflotilla/flotilla/fleet"
)

// Analyze shows what makes HOST's system large: its largest paths, and what pulls them in
//
// Options: -live: of what the host runs, instead of what the flake wants; -json.
// What the flake wants is built, and compared with what the host runs.
func Analyze(ctx context.Context, host string, live, json *bool) error {
	asJSON(json)
	return on(ctx, host, func(ctx context.Context, s session) *fleet.Report {
		return s.fleet.Analyze(ctx, s.hosts, fleet.AnalyzeOptions{Live: is(live)})
	})
}
