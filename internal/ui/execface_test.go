package ui

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/fleet"
)

// Each line goes to its stream, harmless, and the table away from the answer.
func TestExecFace(t *testing.T) {
	var out, errOut bytes.Buffer
	hosts := []fleet.Host{{Name: "p620"}, {Name: "dex5550"}}
	x := NewExec(&out, &errOut, hosts, false)
	x.Event(fleet.Event{Kind: fleet.KindStarted, Host: "p620", Step: fleet.StepExec})
	x.Event(fleet.Event{Kind: fleet.KindLog, Host: "p620", Step: fleet.StepExec, Text: "a\x1b[2J\rb\tc\u202e"})
	x.Event(fleet.Event{Kind: fleet.KindLog, Host: "dex5550", Step: fleet.StepExec, Text: "bad", Stderr: true})
	failed := &fleet.StepError{Host: "dex5550", Step: fleet.StepExec, Brief: "exit code 7", ExitCode: 7, Err: fmt.Errorf("%w", fleet.ErrCommandFailed)}
	lost := &fleet.StepError{Host: "p510", Step: fleet.StepExec, Brief: "gone", Hint: "look there", Err: errors.New("gone")}
	x.Finish(&fleet.Report{Results: []fleet.Result{
		{Host: hosts[0], Outcome: fleet.Ran, Reason: "exit code 0"},
		{Host: hosts[1], Outcome: fleet.Failed, Err: failed},
		{Host: fleet.Host{Name: "p510"}, Outcome: fleet.Unreachable, Err: lost},
	}}, nil)
	if want := "p620    │ ab c\n"; out.String() != want {
		t.Errorf("standard output %q", out.String())
	}
	want := `dex5550 │ bad
HOST     OUTCOME      TIME    WHY
p620     ran          0.00 s  exit code 0
dex5550  failed       0.00 s  exec: exit code 7
p510     unreachable  0.00 s  exec: gone

p510: exec failed: gone
  look there

`
	if errOut.String() != want {
		t.Errorf("standard error\n%s", errOut.String())
	}
}

func TestHostChecks(t *testing.T) {
	var b bytes.Buffer
	hostChecks(&b, fleet.Result{Host: fleet.Host{Name: "p620"}, Outcome: fleet.Failed, Checks: []fleet.Check{
		{Name: "evaluates", Warnings: []string{"old\x1b[2J"}},
		{Name: "answers"},
		{Name: "can be deployed to", Problems: []error{errors.New("no Nix"), &fleet.StepError{Host: "p620", Step: fleet.StepSurvey, Brief: "no root", Err: errors.New("x")}}},
		{Name: "has the space", Text: "3 paths"},
	}})
	want := `p620: not ready
  warning  evaluates           old
  ok       answers
  failed   can be deployed to  no Nix
                               no root
  ok       has the space       3 paths
`
	if b.String() != want {
		t.Errorf("got\n%s", b.String())
	}
	b.Reset()
	NewJSON(&b).Finish(&fleet.Report{Results: []fleet.Result{{Checks: []fleet.Check{{Name: "x", Problems: []error{errors.New("y")}}}}}}, nil)
	if !strings.Contains(b.String(), `"checks":[{"name":"x","outcome":"failed","problems":[{"brief":"y"}]}]`) {
		t.Error(b.String())
	}
}
