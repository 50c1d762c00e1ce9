package fleet

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// twoStates is a Nix that knows two states of a flake: by host, a derivation's
// hash, or "" for one that does not evaluate.
type twoStates struct {
	Nix
	then, now map[string]string
}

func (n twoStates) state(what nixcmd.Installable) map[string]string {
	if strings.HasPrefix(what.String(), "then#") {
		return n.then
	}
	return n.now
}

func (n twoStates) AttrNames(_ context.Context, what nixcmd.Installable) ([]string, error) {
	return slices.Sorted(maps.Keys(n.state(what))), nil
}

func (n twoStates) Evaluate(_ context.Context, what nixcmd.Installable, _ nixcmd.EvaluateOptions) (nixcmd.Evaluation, error) {
	host := strings.Split(what.String(), ".")[2]
	if strings.HasPrefix(what.String(), "then#") {
		host = strings.Split(what.String(), ".")[1]
	}
	hash := n.state(what)[host]
	if hash == "" {
		return nixcmd.Evaluation{}, &nixcmd.EvalError{Message: "no"}
	}
	path := nixcmd.StorePath(fmt.Sprintf("/nix/store/%s-system", strings.Repeat(hash, 32)))
	return nixcmd.Evaluation{Derivation: path + ".drv", Toplevel: path}, nil
}

// A host is affected exactly if its derivation is another, and every host that
// was and is no more is told.
func TestAffectedIsByDerivation(t *testing.T) {
	states := rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c", "d"}), rapid.SampledFrom([]string{"", "1", "2"}), 0, 4)
	rapid.Check(t, func(t *rapid.T) {
		nix := twoStates{then: states.Draw(t, "then"), now: states.Draw(t, "now")}
		since := rapid.SampledFrom([]string{"", "then"}).Draw(t, "since")
		if since == "" {
			nix.then = nil
		}
		f := &Fleet{nix: nix, stages: newStages(Limits{Evaluations: 2})}
		var hosts []Host
		for _, name := range slices.Sorted(maps.Keys(nix.now)) {
			hosts = append(hosts, Host{Name: name, Attr: name})
		}
		a := f.Affected(context.Background(), hosts, AffectedOptions{Since: since})
		for _, r := range a.Hosts.Results {
			then, was := nix.then[r.Host.Name]
			now := nix.now[r.Host.Name]
			wantOutcome := Evaluated
			if now == "" {
				wantOutcome = Failed
			}
			c := r.Change
			if r.Outcome != wantOutcome || c == nil || c.Affected != (now == "" || now != then) {
				t.Fatalf("%+v: %s, %+v", nix, r.Outcome, c)
			}
			if (c.WasErr != nil) != (now != "" && was && then == "") || (c.Was != "") != (now != "" && then != "") || (c.Is != "") != (now != "") {
				t.Fatalf("%+v: %+v", nix, c)
			}
		}
		var removed []string
		for _, name := range slices.Sorted(maps.Keys(nix.then)) {
			if _, there := nix.now[name]; !there {
				removed = append(removed, name)
			}
		}
		if !slices.Equal(a.Removed, removed) {
			t.Fatalf("%+v: removed %v", nix, a.Removed)
		}
	})
}
