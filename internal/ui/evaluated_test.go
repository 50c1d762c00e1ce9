package ui

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/fleet"
)

// On a terminal the report tells which hosts were evaluated, and why.
func TestReportTellsWhatWasEvaluated(t *testing.T) {
	one := func(name, reason string) fleet.Result {
		return fleet.Result{Host: fleet.Host{Name: name}, Outcome: fleet.Built, Evaluation: fleet.Verdict{Avoided: strings.HasPrefix(reason, "nothing"), Reason: reason}}
	}
	var many []fleet.Result
	for i := range 100 {
		many = append(many, one(fmt.Sprintf("h%02d", i), "it was not evaluated before"))
	}
	for want, results := range map[string][]fleet.Result{
		"":                                {one("a", ""), one("b", "")},
		"none, nothing they read changed": {one("a", "nothing it reads changed since 22:12"), one("b", "nothing it reads changed since 22:10")},
		"b: hosts/b.nix changed":          {one("a", "nothing it reads changed since 22:12"), one("b", "hosts/b.nix changed")},
		"b, c: x.nix changed; a: hosts/a.nix changed":       {one("a", "hosts/a.nix changed"), one("b", "x.nix changed"), one("c", "x.nix changed")},
		"h00, h01 and 98 more: it was not evaluated before": many,
		"a: 1; b: 2; c: 3; 2 hosts more":                    {one("a", "1"), one("b", "2"), one("c", "3"), one("d", "4"), one("e", "5")},
	} {
		r := &fleet.Report{Results: results}
		var terminal, pipe bytes.Buffer
		screen{w: &terminal, width: 80}.report(r)
		screen{w: &pipe}.report(r)
		lines := strings.Split(strings.TrimSpace(terminal.String()), "\n")
		last, told := strings.CutPrefix(lines[len(lines)-1], "evaluated: ")
		if told != (want != "") || told && last != want {
			t.Errorf("%q, want %q", last, want)
		}
		if strings.Contains(pipe.String(), "evaluated: ") { // its lines have said so
			t.Errorf("no terminal:\n%s", pipe.String())
		}
	}
}
