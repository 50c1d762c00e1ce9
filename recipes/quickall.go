package recipes

import (
	"context"
	"strings"

	"github.com/nixflotilla/flotilla/fleet"
)

// QuickAll tests all hosts at once; if every one passed, it asks and deploys what was tested (-yes)
//
// Options: -on=SELECTOR, -yes, -fresh, -json.
// What is deployed is what the test built, whatever the flake says by then.
func QuickAll(ctx context.Context, on *string, yes, fresh, json *bool) error {
	asJSON(json)
	anew(fresh)
	hosts := text(on, everyone)
	ask := about("Every test passed. Deploy %s at once?", is(yes))

	var tested *fleet.Report
	err := asking(ctx, hosts, answerable("Deploy %s at once if every test passes?", is(yes)), func(ctx context.Context, s session) *fleet.Report {
		tested = s.fleet.Test(ctx, s.hosts, fleet.TestOptions{})
		return tested
	})
	if err != nil {
		return err
	}
	// By name: fleet.toml may have other hosts by now.
	var names []string
	for _, r := range tested.Results {
		names = append(names, r.Host.Name)
	}
	return asking(ctx, strings.Join(names, ","), ask, deploy(fleet.DeployOptions{Tested: tested}))
}
