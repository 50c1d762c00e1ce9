package fleet

import (
	"errors"
	"testing"

	"github.com/nixflotilla/flotilla/nixcmd"
)

func TestValidationExitCode(t *testing.T) {
	good, bad := Result{Outcome: Evaluated}, Result{Outcome: Failed}
	fine, broken := Check{}, Check{Problems: []error{errors.New("x")}}
	for _, c := range []struct {
		name      string
		hosts     []Result
		checks    []Check
		cancelled bool
		want      int
	}{
		{"all well", []Result{good, good}, []Check{fine}, false, ExitOK},
		{"a host", []Result{good, bad}, []Check{fine}, false, ExitSomeFailed},
		{"a check", []Result{good}, []Check{fine, broken}, false, ExitSomeFailed},
		{"every host", []Result{bad}, []Check{fine}, false, ExitFailed},
		{"everything", []Result{bad, bad}, []Check{broken}, false, ExitFailed},
		{"cancelled", []Result{bad}, []Check{broken}, true, ExitCancelled},
	} {
		v := &Validation{Hosts: &Report{Results: c.hosts, Cancelled: c.cancelled}, Checks: c.checks}
		if got := v.ExitCode(); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestBeyondHosts(t *testing.T) {
	hosts := &Report{Results: []Result{
		{Host: Host{Name: "a", Attr: "a.lan"}, Outcome: Failed, Err: errors.New("x")},
		{Host: Host{Name: "b", Attr: "b"}, Outcome: Evaluated},
	}}
	left := beyondHosts([]error{
		nixcmd.FlakeProblem{Output: `nixosConfigurations."a.lan"`, Message: "said of a"},
		nixcmd.FlakeProblem{Output: "nixosConfigurations.b", Message: "only here"},
		nixcmd.FlakeProblem{Output: "packages.x", Message: "only here"},
		errors.New("nix is gone"),
	}, hosts)
	if len(left) != 3 {
		t.Errorf("%v", left)
	}
}
