package recipes

import (
	"context"
	"strings"

	"github.com/nixflotilla/flotilla/fleet"
)

// QuickAll tests all hosts at once; if every one passed, it asks and deploys what was tested (-yes)
//
// Options: -on=SELECTOR, -yes, -json.
// What is deployed is what the test built, whatever the flake says by then.
func QuickAll(ctx context.Context, on *string, yes, json *bool) error {
	asJSON(json)
	hosts := text(on, everyone)
	ask := about("Every test passed. Deploy %s at once?", is(yes))

	var tested *fleet.Report
	askable := answerable("Deploy %s at once if every test passes?", is(yes))
	err := inPart(ctx, part{"test", true}, hosts, askable, func(ctx context.Context, s session) *fleet.Report {
		tested = s.fleet.Test(ctx, s.hosts, fleet.TestOptions{})
		return tested
	}, nil)
	if err != nil {
		return err
	}
	// By name: fleet.toml may have other hosts by now.
	var names []string
	for _, r := range tested.Results {
		names = append(names, r.Host.Name)
	}
	return inPart(ctx, part{name: "deploy"}, strings.Join(names, ","), ask, deploy(fleet.DeployOptions{Tested: tested}), nil)
}
