package e2e

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// unprotected is the least that a switch over a live connection costs: one session, in
// which the profile is set and switch-to-configuration runs in a unit, followed to its
// end. It prints how many seconds it took.
const unprotected = `t=$(date +%%s.%%N)
ssh -n -o ControlPath=/tmp/cost -o ControlMaster=no p510 'set -e; nix-env --profile /nix/var/nix/profiles/system --set %[1]s
systemd-run --quiet --wait --collect --pipe --service-type=exec %[1]s/bin/switch-to-configuration switch >/dev/null 2>&1' </dev/null
echo "$(date +%%s.%%N) $t" | awk '{ print $1 - $2 }'`

// opening is what a new connection takes more than a session over one that is open.
const opening = `t=$(date +%s.%N); ssh -n -o ControlPath=none p510 true; u=$(date +%s.%N)
ssh -n -o ControlPath=/tmp/cost -o ControlMaster=no p510 true; echo "$(date +%s.%N) $u $t" | awk '{ print ($2 - $3) - ($1 - $2) }'`

// TestProtectionCost measures what protection costs, by the round-trip time of the link:
// FLOTILLA_COST is how many times each. docs/reliability.md has what it gave.
func TestProtectionCost(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("FLOTILLA_COST"))
	if n == 0 {
		t.Skip("measures, and decides nothing: FLOTILLA_COST=9")
	}
	m := inLab(t)
	m.deployed()
	old := m.settled("p510")
	m.set("p510", `environment.etc.motd.text = "cost";`)
	for _, rtt := range []time.Duration{0, 20 * time.Millisecond, 100 * time.Millisecond} {
		m.fault("latency", m.Latency(t.Context(), "p510", rtt))
		m.must("control", "ssh -M -N -f -o ControlPath=/tmp/cost -o ControlPersist=600 p510; flotilla pingHosts >/dev/null")
		var with, without, handshakes, activates, commits []float64
		for range n {
			var began, activated, ended time.Time
			for _, e := range m.run("flotilla quickDeploy p510 -json").exits(0).events() {
				at, err := time.Parse(time.RFC3339Nano, e.Time)
				if err != nil {
					t.Fatal(err)
				}
				switch e.Kind + " " + e.Step {
				case "started activate":
					began = at
				case "done activate":
					activated = at
				case "done commit":
					ended = at
				}
			}
			with = append(with, ended.Sub(began).Seconds())
			activates, commits = append(activates, activated.Sub(began).Seconds()), append(commits, ended.Sub(activated).Seconds())
			without = append(without, m.seconds(fmt.Sprintf(unprotected, old)))
			handshakes = append(handshakes, m.seconds(opening))
			if m.settled("p510") != old {
				t.Fatal("not switched back")
			}
		}
		m.must("control", "ssh -o ControlPath=/tmp/cost -O exit p510")
		t.Logf("round trip %s: protected %s (activate %s, commit %s), unprotected %s, opening a connection %s", rtt, median(with), median(activates), median(commits), median(without), median(handshakes))
	}
	m.fault("latency", m.Latency(t.Context(), "p510", 0))
}

func (m *machine) seconds(line string) float64 {
	m.t.Helper()
	text := m.must("control", line)
	s, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil {
		m.t.Fatalf("%q: %v", text, err)
	}
	return s
}

func median(all []float64) string {
	slices.Sort(all)
	return fmt.Sprintf("%.2f s (%.2f to %.2f)", all[len(all)/2], all[0], all[len(all)-1])
}
