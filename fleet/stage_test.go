package fleet

import (
	"strings"
	"testing"
)

// For the next boot it counts what a host boots, not what it runs.
func TestDecideBoot(t *testing.T) {
	for _, c := range []struct {
		name   string
		s      Survey
		force  bool
		deploy bool
		says   string
	}{
		{"runs and boots it", Survey{Current: newSystem, Profile: newSystem}, false, false, "already runs and boots"},
		{"boots it next", Survey{Current: oldSystem, Profile: newSystem}, false, false, "already boots " + short(newSystem) + " next"},
		{"runs it, boots another", Survey{Current: newSystem, Profile: oldSystem}, false, true, "it boots " + short(oldSystem)},
		{"another", Survey{Current: oldSystem, Profile: oldSystem}, false, true, "wanted is " + short(newSystem)},
		{"no profile", Survey{Current: oldSystem}, false, true, "it boots nothing"},
		{"asked for", Survey{Current: oldSystem, Profile: newSystem}, true, true, "asked for"},
		{"cut short", Survey{Current: newSystem, Profile: newSystem, Uncommitted: true}, false, true, "cut short"},
	} {
		if p := decideBoot(c.s, newSystem, c.force); p.Deploy != c.deploy || !strings.Contains(p.Reason, c.says) {
			t.Errorf("%s: %+v", c.name, p)
		}
	}
}
