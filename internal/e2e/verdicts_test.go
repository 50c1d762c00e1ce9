package e2e

import (
	_ "embed"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/internal/lab"
)

//go:embed testdata/slowernix
var slowerNix []byte

// nixPhases are those that a slower nix makes slower.
var nixPhases = []string{"evaluate-cold", "evaluate-warm", "rebuild", "copy-nothing"}

// TestVerdicts counts verdicts of benchHost: of two runs of the same, and of one whose
// nix takes a fifth longer. FLOTILLA_BENCH is how many times; docs/performance.md has
// what it gave.
func TestVerdicts(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("FLOTILLA_BENCH"))
	if n == 0 {
		t.Skip("wants a machine with nothing else to do: FLOTILLA_BENCH=20")
	}
	m := inLab(t)
	m.deployed()
	m.place("/tmp/slower/nix", slowerNix)
	const records = "/root/.local/state/flotilla/bench"
	t.Cleanup(func() { m.must(lab.Control, "rm -rf /tmp/slower "+records) })

	// What booting the lab was is over after three minutes; a load that stays is told, and
	// makes verdicts unclear.
	m.must(lab.Control, "for i in $(seq 180); do awk '{ exit $1 > 1 }' /proc/loadavg && break; sleep 1; done")

	var differing, found, called int
	for i := range n {
		m.must(lab.Control, "rm -rf "+records) // so that all pairs are judged by the same rule
		m.verdicts(i, "", "first")
		same := m.verdicts(i, "", "the same again")
		m.verdicts(i, "PATH=/tmp/slower:$PATH SLOWER=0 ", "a wrapper before nix")
		slowed := m.verdicts(i, "PATH=/tmp/slower:$PATH SLOWER=20 ", "nix slower by 20 %")
		if slices.ContainsFunc(same.Phases, differs) {
			differing++
		}
		before := found
		for _, p := range slowed.Phases {
			if slices.Contains(nixPhases, p.Phase) && p.Last.Verdict == "slower" {
				found++
			}
		}
		if found > before {
			called++
		}
	}
	t.Logf("%d of %d runs of the same differ; %d of %d slowed ones are called slower, %d of %d phases", differing, n, called, n, found, n*len(nixPhases))
	if float64(differing) > 0.05*float64(n) { // bench.Confidence, which is that of a run
		t.Errorf("%d of %d runs of the same differ", differing, n)
	}
	if called < n {
		t.Errorf("%d of %d slowed runs are not called slower", n-called, n)
	}
}

// differs leaves out what is said of the machine itself.
func differs(p phase) bool {
	return p.Phase != "control" && (p.Last.Verdict == "slower" || p.Last.Verdict == "faster")
}

// verdicts is one run, whose verdicts are logged.
func (m *machine) verdicts(round int, with, name string) benchmark {
	m.t.Helper()
	b := m.bench(with + "flotilla benchHost razer 10 -json")
	var all []string
	for _, p := range b.Phases {
		if p.Last != nil {
			all = append(all, fmt.Sprintf("%s %.1f ms: %s (%+.0f %%)", p.Phase, 1000*p.Median, p.Last.Verdict, 100*p.Last.Change))
		}
	}
	m.t.Logf("%d, %s, load %.1f: %s", round+1, name, b.Record.Environment.Load, strings.Join(all, ", "))
	return b
}
