package recipes

import (
	"context"

	"github.com/nixflotilla/flotilla/fleet"
)

// Reboot asks, then reboots the hosts of SELECTOR and waits until each is back (-ifNeeded, -yes)
//
// Options: -yes, -ifNeeded: only those that wait for a reboot; -json. They go in the
// waves of fleet.toml's [rollout], each once the one before is back. A host is back
// when it answers in another boot, runs what its profile is at, and passes its
// health checks; [reboot] in fleet.toml says how long that may take. Once one is
// not, no further host is rebooted.
func Reboot(ctx context.Context, selector string, yes, json, ifNeeded *bool) error {
	asJSON(json)
	ask := aboutWaves("Reboot %s?", yes, nil)
	if is(ifNeeded) {
		ask = aboutWaves("Reboot %s, if needed?", yes, nil)
	}
	return showing(ctx, selector, becoming(ask), kept("reboot", true, func(ctx context.Context, s session) *fleet.Report {
		return s.fleet.Reboot(ctx, s.hosts, fleet.RebootOptions{IfNeeded: is(ifNeeded), Abandon: s.abandon})
	}), nil, manner{interrupted: "rebooting no further host; those that are rebooting are waited for (again to stop waiting)"})
}

// andReboot is what -reboot adds to a question.
func andReboot(reboot *bool) string {
	if is(reboot) {
		return ", and reboot where the new system needs it"
	}
	return ""
}

// aboutReboot is the question of a target that asks only before it reboots.
func aboutReboot(reboot, yes, dry *bool) question {
	if !is(reboot) {
		return nil
	}
	return about("Deploy %s"+andReboot(reboot)+"?", yes, dry)
}
