package fleet

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// unfitness says what unfit says, and goes on.
func TestUnfitness(t *testing.T) {
	good := Survey{Nix: "nix (Nix) 2.26.3", NixDaemon: "/bin/nix-daemon", Root: RootAlready, Systemd: true}
	for _, c := range []struct {
		spoil func(*Survey)
		says  []string
	}{
		{func(*Survey) {}, nil},
		{func(s *Survey) { s.Nix, s.NixDaemon = "", "" }, []string{"there is no Nix"}},
		{func(s *Survey) { s.Root, s.Systemd = RootNo, false }, []string{"neither root nor", "not run by systemd"}},
		{func(s *Survey) { s.NixDaemon, s.Root, s.Systemd = "", RootNo, false }, []string{"no nix-daemon", "neither root nor", "not run by systemd"}},
	} {
		s := good
		c.spoil(&s)
		got := s.unfitness()
		if len(got) != len(c.says) {
			t.Errorf("%v, want %q", got, c.says)
			continue
		}
		for i, err := range got {
			if !strings.Contains(err.Error(), c.says[i]) {
				t.Errorf("%v, want %q", err, c.says[i])
			}
		}
	}
}

// A host that waits to be confirmed does so for somebody, who is told how.
func TestBusy(t *testing.T) {
	for _, c := range []struct {
		status HostStatus
		hint   string
	}{
		{HostStatus{SwitchLocked: true}, "wait for it to end"},
		{HostStatus{Survey: Survey{Deployment: &HostDeployment{State: DeploymentRuns}}, Activating: []string{"flotilla-activate-abc.service"}}, "wait for it to end"},
		{HostStatus{Survey: Survey{Deployment: &HostDeployment{State: DeploymentWaits}}}, "`confirm p510`"},
		{HostStatus{Survey: Survey{Deployment: &HostDeployment{State: DeploymentGoesBack}}, Activating: []string{"flotilla-confirm-abc.service"}}, "wait for that to end"},
		{HostStatus{}, ""},
	} {
		hint := ""
		if err := c.status.busy("p510"); err != nil {
			hint = err.(interface{ Hint() string }).Hint()
		}
		if !strings.Contains(hint, c.hint) || c.hint == "" && hint != "" {
			t.Errorf("%+v: %q, want %q", c.status, hint, c.hint)
		}
	}
}

func TestInhibited(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		live, wanted, says string
	}{
		{`{"a":"1"}`, `{"a":"2","b":"3"}`, "a (1 → 2)"},
		{`{"a":"1"}`, `{"a":"1"}`, ""},
		{`{"a":"1"}`, `{"b":"1"}`, ""},
		{``, `{"a":"1"}`, ""},
		{`{"a":"1"}`, `nonsense`, ""},
	} {
		if err := os.WriteFile(filepath.Join(dir, "switch-inhibitors"), []byte(c.wanted), 0o600); err != nil {
			t.Fatal(err)
		}
		got := inhibited(c.live, nixcmd.StorePath(dir))
		if (got != nil) != (c.says != "") || got != nil && !strings.Contains(inhibitorsDiffer(got), c.says) {
			t.Errorf("%s, %s: %v", c.live, c.wanted, got)
		}
	}
	if got := inhibited(`{"a":"1"}`, "/nowhere"); got != nil {
		t.Error(got)
	}
}

// dialHere connects to this machine, whatever the host.
type dialHere struct{}

func (dialHere) Connect(context.Context, Host) (Remote, error) { return here{}, nil }

// A command line is one argument, whatever is in it, and its exit code is told.
func TestExec(t *testing.T) {
	var lines []string
	f := &Fleet{dialer: dialHere{}, patience: 1 << 40, stages: newStages(Limits{}), sink: SinkFunc(func(e Event) {
		if e.Kind == KindLog {
			lines = append(lines, e.Text)
			if e.Stderr {
				lines = append(lines, "on stderr")
			}
		}
		if e.Kind == KindFailed && e.Text != "" {
			t.Errorf("failed, and told what came of it: %s", e.Text)
		}
	})}
	hosts := []Host{{Name: "a"}}
	r := f.Exec(t.Context(), hosts, `echo "$0 $#"; for x in 'a  b' '$(y)'; do echo "$x"; done; cat; echo bad >&2`)
	if r.Results[0].Outcome != Ran || r.ExitCode() != ExitOK {
		t.Fatalf("%+v", r.Results[0])
	}
	slices.Sort(lines)
	if want := []string{"$(y)", "a  b", "bad", "on stderr", "sh 0"}; !slices.Equal(lines, want) {
		t.Errorf("got %q", lines)
	}
	for line, want := range map[string]int{"exit 7": 7, "exit 255": 255} {
		r := f.Exec(t.Context(), hosts, line)
		var se *StepError
		if !errors.As(r.Results[0].Err, &se) || se.ExitCode != want || r.Results[0].Outcome != Failed || !errors.Is(r.Err(), ErrCommandFailed) {
			t.Errorf("%s: %+v", line, r.Results[0])
		}
	}
	if r := f.Exec(t.Context(), hosts, " \n"); r.Results[0].Outcome != Failed || !errors.Is(r.Err(), errNoCommand) {
		t.Errorf("%+v", r.Results[0])
	}
}
