package recipes

import (
	"context"
	"strings"

	"github.com/nixflotilla/flotilla/fleet"
)

// QuickAll tests all hosts at once; if every one passed, it asks and deploys what was tested (-yes)
//
// Options: -on=SELECTOR, -yes, -dry, -json, -fresh, -reboot: also reboots those that need it,
// as part of their wave.
// What is deployed is what the test built, whatever the flake says by then. The
// deployment follows [rollout] in fleet.toml, as that of DeployAllParallel.
func QuickAll(ctx context.Context, on *string, yes, dry, json, reboot, fresh *bool) error {
	asJSON(json)
	anew(fresh)
	hosts := text(on, everyone)
	ask := aboutWaves("Every test passed. Deploy %s"+andReboot(reboot)+"?", yes, dry)

	var tested *fleet.Report
	var given passwords
	askable := answerableWaves("Deploy %s if every test passes"+andReboot(reboot)+"?", yes, dry)
	err := showing(ctx, hosts, becoming(askable), func(ctx context.Context, s session) *fleet.Report {
		tested = test("quickAll", fleet.TestOptions{})(ctx, s)
		return tested
	}, nil, manner{part: part{"test", true}, passwords: &given})
	if err != nil {
		return err
	}
	// By name: fleet.toml may have other hosts by now.
	var names []string
	for _, r := range tested.Results {
		names = append(names, r.Host.Name)
	}
	act := deploy("quickAll", fleet.DeployOptions{Tested: tested, Order: fleet.InWaves, Reboot: is(reboot)}, dry)
	return showing(ctx, strings.Join(names, ","), ask, act, nil, manner{part: part{name: "deploy"}, passwords: &given})
}
