package fleet

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// These hold counts, never times: what a change makes worse by much, they find on
// any machine. The ceilings are about half more than what was counted when they were
// set; lower them with what lowers the counts.

// tallyNix counts what is asked of Nix.
type tallyNix struct {
	fakeNix
	evaluations, builds, copies *atomic.Int32
}

func newTallyNix() tallyNix {
	return tallyNix{evaluations: new(atomic.Int32), builds: new(atomic.Int32), copies: new(atomic.Int32)}
}

func (n tallyNix) Evaluate(ctx context.Context, i nixcmd.Installable, opt nixcmd.EvaluateOptions) (nixcmd.Evaluation, error) {
	n.evaluations.Add(1)
	return n.fakeNix.Evaluate(ctx, i, opt)
}

func (n tallyNix) Build(ctx context.Context, drvs []nixcmd.StorePath, opt nixcmd.BuildOptions) ([]nixcmd.StorePath, error) {
	n.builds.Add(1)
	return n.fakeNix.Build(ctx, drvs, opt)
}

func (n tallyNix) Copy(ctx context.Context, paths []nixcmd.StorePath, opt nixcmd.CopyOptions) error {
	n.copies.Add(1)
	return n.fakeNix.Copy(ctx, paths, opt)
}

// An unchanged host costs one session, a changed one four at most, whatever else; and
// each one evaluation, build and copy, and no more.
func TestCountsOfADeployment(t *testing.T) {
	for _, c := range []struct {
		name                                  string
		current                               nixcmd.StorePath
		opt                                   DeployOptions
		sessions, evaluations, builds, copies int
	}{
		{"unchanged", newSystem, DeployOptions{}, 1, 1, 0, 0},
		{"changed", oldSystem, DeployOptions{SkipHealth: true}, 4, 1, 1, 1},
		{"unchanged, tested before", newSystem, DeployOptions{Tested: &Report{Results: []Result{{Host: Host{Name: "a"}, Outcome: Built, Wanted: newSystem}}}}, 1, 0, 0, 0},
		{"changed, tested before", oldSystem, DeployOptions{SkipHealth: true, Tested: &Report{Results: []Result{{Host: Host{Name: "a"}, Outcome: Built, Wanted: newSystem}}}}, 4, 0, 0, 1},
	} {
		f, h := hospital(t, always(true))
		nix := newTallyNix()
		f.nix = nix
		h.current, h.profile = c.current, c.current
		if r := deployOne(t, f, c.opt); !r.Outcome.OK() {
			t.Fatalf("%s: %+v", c.name, r)
		}
		if n := len(h.asked); n > c.sessions {
			t.Errorf("%s: %d sessions, at most %d: %v", c.name, n, c.sessions, h.asked)
		}
		for what, n := range map[string][2]int{"evaluations": {int(nix.evaluations.Load()), c.evaluations}, "builds": {int(nix.builds.Load()), c.builds}, "copies": {int(nix.copies.Load()), c.copies}} {
			if n[0] != n[1] {
				t.Errorf("%s: %d %s, want %d", c.name, n[0], what, n[1])
			}
		}
	}
}

// allocates holds an action to at most so many allocations.
func allocates(t *testing.T, what string, most float64, do func()) {
	t.Helper()
	n := testing.AllocsPerRun(20, do)
	t.Logf("%s: %.0f allocations", what, n)
	if n > most {
		t.Errorf("%s: %.0f allocations, at most %.0f", what, n, most)
	}
}

func TestAllocations(t *testing.T) {
	allocates(t, "telling 100 events", 0, tellEvents())
	allocates(t, "deciding for 100 hosts", 600, decideAll)
	allocates(t, "an inventory of 100 hosts", 24_000, loadInventory(t))
	allocates(t, "a run of 100 hosts with nothing to do", 3_000, emptyRun(t))
}

func BenchmarkEvents(b *testing.B)    { repeat(b, tellEvents()) }
func BenchmarkDecide(b *testing.B)    { repeat(b, decideAll) }
func BenchmarkInventory(b *testing.B) { repeat(b, loadInventory(b)) }
func BenchmarkEmptyRun(b *testing.B)  { repeat(b, emptyRun(b)) }

func repeat(b *testing.B, do func()) {
	b.ReportAllocs()
	for b.Loop() {
		do()
	}
}

// tellEvents is 100 lines of a log on their way to a sink.
func tellEvents() func() {
	n := 0
	f := &Fleet{sink: SinkFunc(func(e Event) { n += len(e.Text) })}
	j := &job{fleet: f, host: Host{Name: "razer"}}
	return func() {
		for range 100 {
			j.log(StepBuild, "a line of a build's log")
		}
	}
}

func decideAll() {
	for i := range 100 {
		current := oldSystem
		if i%2 == 0 {
			current = newSystem
		}
		Decide(Survey{Current: current, Profile: current}, newSystem, false)
	}
}

func loadInventory(t testing.TB) func() {
	var text strings.Builder
	for i := range 100 {
		fmt.Fprintf(&text, "[hosts.host%d]\naddress = \"10.0.0.%d\"\ntags = [\"server\", \"rack%d\"]\n", i, i, i%10)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{FileName: text.String(), "flake.nix": "{ }"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		if inv, err := Load(dir); err != nil || len(inv.Hosts) != 100 {
			t.Fatal(err)
		}
	}
}

// emptyRun is what the executor itself costs.
func emptyRun(t testing.TB) func() {
	hosts := make([]Host, 100)
	for i := range hosts {
		hosts[i].Name = fmt.Sprint("host", i)
	}
	f := &Fleet{stages: newStages(Limits{}), history: history{dir: t.TempDir()}}
	return func() {
		f.run(context.Background(), hosts, func(context.Context, *job) (Outcome, error) { return Unchanged, nil })
	}
}
