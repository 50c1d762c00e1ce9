package recipes

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/ui"
)

// aboutWaves is about for a rollout: %s names the hosts wave by wave.
func aboutWaves(format string, yes, dry *bool) question {
	return func(ctx context.Context, s session) error {
		if is(dry) || agreed(yes) {
			return nil
		}
		return ui.Confirm(ctx, os.Stdin, os.Stderr, fmt.Sprintf(format, wavesOf(s.fleet.Inventory.Rollout, s.hosts)))
	}
}

// answerableWaves asks nobody: it wants a later question to have somebody who
// answers, before work is done that would be for nothing.
func answerableWaves(format string, yes, dry *bool) question {
	return func(_ context.Context, s session) error {
		if is(dry) || agreed(yes) {
			return nil
		}
		return ui.Askable(os.Stdin, fmt.Sprintf(format, wavesOf(s.fleet.Inventory.Rollout, s.hosts)))
	}
}

// wavesOf lists hosts for a person, wave by wave.
func wavesOf(r fleet.Rollout, hosts []fleet.Host) string {
	waves := r.Plan(hosts)
	if len(waves) < 2 {
		return names(hosts) + " at once"
	}
	each := make([]string, len(waves))
	for i, w := range waves {
		each[i] = listed(w)
	}
	return fmt.Sprintf("%d hosts in %d waves (%s)", len(hosts), len(waves), strings.Join(each, "; then "))
}
