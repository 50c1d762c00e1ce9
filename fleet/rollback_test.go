package fleet

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

// historian is a fakeHost whose profile has the generations 1, 2… of these systems.
type historian struct {
	fakeHost
	systems  []nixcmd.StorePath
	number   int
	activate []string
}

func (h *historian) Connect(context.Context, Host) (Remote, error) { return h, nil }

func (h *historian) Run(ctx context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
	cmd = sent(cmd)
	switch {
	case cmd.Script == generationsScript+surveyScript:
		text := fmt.Sprintf("generation system-%d-link\n", h.number)
		for i, p := range h.systems {
			text += fmt.Sprintf("generations/system-%d-link/path %s\n", i+1, p)
		}
		res, err := h.fakeHost.Run(ctx, sshpool.Cmd{Script: surveyScript})
		return sshpool.Result{Stdout: append([]byte(text), res.Stdout...)}, err
	case len(cmd.Argv) > 0 && cmd.Argv[0] == "activate":
		h.activate = cmd.Argv
	}
	return h.fakeHost.Run(ctx, cmd)
}

func historic(t *testing.T) (*Fleet, *historian) {
	f, fake := hospital(t, always(true))
	h := &historian{fakeHost: fakeHost{current: newSystem, profile: newSystem, well: fake.well}, systems: []nixcmd.StorePath{oldSystem, newSystem}, number: 2}
	f.dialer, f.nix, f.Inventory.Health = h, nil, Health{}
	return f, h
}

// "Back to what it boots" is said of that alone: a specialisation is never what boots, and
// what is live is called by its name.
func TestRollbackWithinAGeneration(t *testing.T) {
	const special = nixcmd.StorePath("/nix/store/22222222222222222222222222222222-special")
	g := Generation{Number: 3, Path: newSystem, specialisations: map[string]nixcmd.StorePath{"x": special}}
	for _, c := range []struct {
		s      Survey
		active nixcmd.StorePath
		says   string
	}{
		{Survey{Current: newSystem, Profile: newSystem}, special, "from 1111111-new to generation 3, specialisation x of 1111111-new"},
		{Survey{Current: special, Profile: newSystem, Specialisations: []string{"x"}}, newSystem,
			"from specialisation x of 1111111-new back to what it boots: generation 3, 1111111-new"},
		{Survey{Current: oldSystem, Profile: newSystem}, newSystem, "from 0000000-old back to what it boots: generation 3, 1111111-new"},
	} {
		if got := decideGeneration(c.s, g, c.active).Reason; got != c.says {
			t.Errorf("%q, not %q", got, c.says)
		}
	}
}

// A rollback is a deployment that switches the profile instead of adding to it,
// and asks no Nix here: there is none in this test.
func TestRollbackSwitchesTheProfile(t *testing.T) {
	f, h := historic(t)
	r := f.Rollback(t.Context(), f.Inventory.Hosts, RollbackOptions{}).Results[0]
	if r.Outcome != Switched || h.current != oldSystem || h.profile != oldSystem || r.Wanted != oldSystem || r.Live != newSystem || r.Generation.Number != 1 {
		t.Fatalf("%+v", r)
	}
	if got := h.said(); got != "survey activate commit" {
		t.Errorf("asked %s", got)
	}
	if n := len(h.activate); n != 13 || h.activate[4] != string(oldSystem) || h.activate[5] != "test" || h.activate[6] != string(oldSystem) || h.activate[11] != "1" || h.activate[12] != "ask" {
		t.Errorf("%q", h.activate)
	}
	h.number = 1
	if r = f.Rollback(t.Context(), f.Inventory.Hosts, RollbackOptions{To: "1"}).Results[0]; r.Outcome != Unchanged || h.said() != "survey" {
		t.Errorf("%+v", r)
	}
}

// What was agreed to is what is done: a host goes to the generation that was
// planned, even if it is not the one before any more, or is left alone.
func TestRollbackGoesWhereItWasPlanned(t *testing.T) {
	f, h := historic(t)
	planned := func(g *Generation) *Report {
		return &Report{Results: []Result{{Host: f.Inventory.Hosts[0], Generation: g}}}
	}
	for name, c := range map[string]struct {
		planned *Report
		systems []nixcmd.StorePath
		want    Outcome
		says    string
	}{
		"as planned":               {planned(&Generation{Number: 1, Path: oldSystem}), []nixcmd.StorePath{oldSystem, systemPath("x"), newSystem}, Switched, ""},
		"another system by now":    {planned(&Generation{Number: 1, Path: oldSystem}), []nixcmd.StorePath{systemPath("x"), newSystem}, Failed, "generation 1 is no longer"},
		"deleted":                  {planned(&Generation{Number: 7, Path: oldSystem}), []nixcmd.StorePath{oldSystem, newSystem}, Failed, "no generation 7"},
		"nothing was planned":      {planned(nil), []nixcmd.StorePath{oldSystem, newSystem}, Failed, "was found before"},
		"the host was not planned": {&Report{}, []nixcmd.StorePath{oldSystem, newSystem}, Failed, "was found before"},
	} {
		h.current, h.profile, h.systems, h.number, h.asked = newSystem, newSystem, c.systems, len(c.systems), nil
		r := f.Rollback(t.Context(), f.Inventory.Hosts, RollbackOptions{Planned: c.planned}).Results[0]
		if r.Outcome != c.want || r.Err != nil && !strings.Contains(r.Err.Error(), c.says) || (h.current == newSystem) == (c.want == Switched) {
			t.Errorf("%s: %s, %v; runs %s", name, r.Outcome, r.Err, h.current)
		}
	}
}
