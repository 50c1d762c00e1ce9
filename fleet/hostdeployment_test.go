package fleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nixflotilla/flotilla/sshpool"
)

// A deployment that has a host is under way, waits, or was left.
func TestDeploymentOf(t *testing.T) {
	const lock = "lock/id abc\nlock/by me@here (pid 1)\nlock/since 1795560382\nlock/toplevel " + string(newSystem) +
		"\nlock/previous " + string(oldSystem) + "\nlock/confirm 1m30s\nlock/restore yes\nlock/now 110.52\nlock/armed 100520000\n"
	for _, c := range []struct {
		units string
		state DeploymentState
		left  time.Duration
		says  string
	}{
		{"flotilla-guard-abc.timer/waiting flotilla-activate-abc.service/running", DeploymentRuns, 0, ""},
		{"flotilla-confirm-abc.timer/waiting flotilla-activate-abc.service/exited", DeploymentWaits, 80 * time.Second, "waits 1m20s to be confirmed: `confirm a`, or it goes back to 0000000-old; begun by me@here (pid 1) at "},
		{"flotilla-confirm-abc.timer/waiting flotilla-commit-abc.service/start", DeploymentRuns, 0, ""},
		{"flotilla-confirm-abc.timer/running flotilla-confirm-abc.service/running flotilla-commit-abc.service/running", DeploymentRuns, 0, ""},
		// What goes back can no longer be confirmed.
		{"flotilla-confirm-abc.timer/running flotilla-confirm-abc.service/running", DeploymentGoesBack, 0, "the host is going back to 0000000-old, what it ran before a deployment; begun by me@here"},
		{"flotilla-guard-abc.timer/running flotilla-guard-abc.service/running flotilla-activate-abc.service/stop-sigterm", DeploymentGoesBack, 0, "the host is going back to"},
		{"flotilla-confirm-abc.timer/waiting flotilla-restore-abc.service/running flotilla-activate-abc.service/failed", DeploymentGoesBack, 0, "the host is going back to"},
		{"flotilla-activate-abc.service/failed", DeploymentLeft, 0, "a lock was left, which `unlock a` or the next deployment removes; begun by me@here"},
		{"", DeploymentLeft, 0, "a lock was left"},
	} {
		s, err := parseStatus(strings.Replace(goodSurvey, "end ok", lock+"lock/units "+c.units+"\nend ok", 1))
		if err != nil {
			t.Fatal(err)
		}
		d := s.Deployment
		if d == nil || d.State != c.state || d.Left != c.left || !d.GoesBack || d.System != newSystem {
			t.Errorf("%s: %+v", c.units, d)
			continue
		}
		notes := strings.Join(Result{Host: Host{Name: "a"}, Status: s}.Attention(), "\n")
		if !strings.Contains(notes, c.says) || c.state != DeploymentWaits && strings.Contains(notes, "`confirm") {
			t.Errorf("%s: %s", c.units, notes)
		}
		if busy := c.state == DeploymentWaits || c.state == DeploymentGoesBack; (s.Busy() != "") != busy || busy != (s.busy("a") != nil) {
			t.Errorf("%s: busy: %q", c.units, s.Busy())
		}
	}
	s, err := parseStatus(goodSurvey)
	if err != nil || s.Deployment != nil {
		t.Errorf("%+v, %v", s, err)
	}
	rapid.Check(t, func(t *rapid.T) {
		a := answer{values: map[string]string{"lock/id": "x", "lock/now": rapid.StringMatching(`-?[0-9]{0,22}(\.[0-9]+)?`).Draw(t, "now")}}
		for _, key := range []string{"by", "since", "units", "armed", "confirm", "restore"} {
			a.values["lock/"+key] = rapid.OneOf(rapid.String(), rapid.StringMatching(`-?[0-9]{1,20}`), rapid.Just("flotilla-confirm-x.timer/waiting"), rapid.Just("90s")).Draw(t, key)
		}
		d := deploymentOf(a)
		if d.Left < 0 || d.State == "" || d.note("h") == "" {
			t.Errorf("%+v", d)
		}
	})
}

// The survey tells of the deployment that has the host, as a user who is not root may, and
// asks systemd only then.
func TestSurveyScriptSeesTheLock(t *testing.T) {
	dir := t.TempDir()
	systemctl := filepath.Join(dir, "systemctl")
	fake := "#!/bin/sh\n: >" + dir + "/asked\n" + `case "$*" in
  show*) echo 5000000 ;;
  *) printf 'flotilla-confirm-abc.timer loaded active waiting x y\nflotilla-activate-abc.service loaded active exited x\n' ;;
esac
`
	if err := os.WriteFile(systemctl, []byte(fake), 0o700); err != nil {
		t.Fatal(err)
	}
	script := strings.NewReplacer("/run/flotilla", dir, "systemctl", systemctl).Replace(surveyScript)
	look := func() Survey {
		t.Helper()
		res, err := here{}.Run(t.Context(), surveyCmd(script, BecomeNone))
		if err != nil {
			t.Fatal(err)
		}
		s, err := parseSurvey(string(res.Stdout))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if s := look(); s.Deployment != nil {
		t.Errorf("free: %+v", s.Deployment)
	}
	if _, err := os.Stat(filepath.Join(dir, "asked")); err == nil {
		t.Error("systemd was asked about a host that nobody has")
	}
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "abc"), 0o711), os.Symlink("abc", filepath.Join(dir, "lock")),
		os.WriteFile(filepath.Join(dir, "abc", "deployment"), []byte("previous "+string(oldSystem)+"\ntoplevel "+string(newSystem)+"\nrestore yes\nconfirm 24h0m0s\nby me@here (pid 1)\nsince 1795560382\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	d := look().Deployment
	if d == nil || d.State != DeploymentWaits || d.By != "me@here (pid 1)" || d.System != newSystem || d.Previous != oldSystem || !d.GoesBack || d.Since.Unix() != 1795560382 {
		t.Errorf("%+v", d)
	}
	// Without its directory, as of one that is being forgotten.
	if err := os.RemoveAll(filepath.Join(dir, "abc")); err != nil {
		t.Fatal(err)
	}
	if d := look().Deployment; d == nil || d.By != "" {
		t.Errorf("%+v", d)
	}
	// And without units, as one that its service manager has forgotten.
	if err := os.WriteFile(systemctl, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if d := look().Deployment; d == nil || d.State != DeploymentLeft {
		t.Errorf("%+v", d)
	}
}

// A plan says which deployment the host has, at which it would be refused.
func TestPlanOfAHeldHost(t *testing.T) {
	for units, says := range map[string]string{
		"flotilla-confirm-abc.timer/waiting":                                      "waits to be confirmed: `confirm a`",
		"flotilla-activate-abc.service/running":                                   "a deployment is under way, by me@here",
		"flotilla-confirm-abc.timer/running flotilla-confirm-abc.service/running": "the host is going back to 0000000-old",
		"flotilla-activate-abc.service/exited":                                    "", // is taken over
		"flotilla-confirm-abc.timer/elapsed flotilla-activate-abc.service/failed": "",
	} {
		s, err := parseSurvey(strings.Replace(goodSurvey, "end ok", "lock/id abc\nlock/by me@here (pid 1)\nlock/previous "+string(oldSystem)+"\nlock/restore yes\nlock/units "+units+"\nend ok", 1))
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Deployment.Holds("a"); !strings.HasPrefix(got, says) || (got == "") != (says == "") {
			t.Errorf("%s: %q", units, got)
		}
	}
	if got := (*HostDeployment)(nil).Holds("a"); got != "" {
		t.Error(got)
	}
}

// What is taken back cannot be confirmed, whatever the host says of its timer.
func TestLockOfWhatGoesBack(t *testing.T) {
	for units, says := range map[string]string{
		"flotilla-confirm-abc.timer/waiting":                                      "`confirm a`",
		"flotilla-confirm-abc.timer/running flotilla-confirm-abc.service/running": "the host is going back to 0000000-old, what it ran before a deployment: wait for that to end",
		"": "wait for it to end",
	} {
		f, h := hospital(t, always(true))
		f.dialer = held{h, units}
		r := deployOne(t, f, DeployOptions{})
		var se *StepError
		if r.Outcome != Locked || !errors.As(r.Err, &se) || !strings.Contains(se.Hint, says) || strings.Contains(se.Hint, "`confirm") != strings.Contains(says, "`confirm") {
			t.Errorf("%s: %s: %+v", units, r.Outcome, se)
		}
	}
}

// held is a host that a deployment of units has, once it is to be activated.
type held struct {
	*fakeHost
	units string
}

func (h held) Connect(context.Context, Host) (Remote, error) { return h, nil }

func (h held) Run(ctx context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
	unit := sent(cmd)
	if unit.Script == surveyScript {
		return sshpool.Result{Stdout: []byte(fmt.Sprintf("flotilla-survey 1\ncurrent %s\nprofile %[1]s\nboot-id b\nsystemd yes\nnix x\nnix-daemon /bin/nix-daemon\nroot yes\n"+
			"lock/id abc\nlock/previous %[1]s\nlock/restore yes\nlock/units %s\nend ok\n", oldSystem, h.units))}, nil
	}
	if unit.Script != terse(unitScript) && unit.Script != activateScript() || unit.Argv[0] != "activate" {
		return h.fakeHost.Run(ctx, cmd)
	}
	for _, line := range []string{"flotilla-unit 1", "lock/by me@here (pid 1)", "lock/since 1795560382", "lock/waits yes", "end locked"} {
		cmd.Stdout(line)
	}
	return sshpool.Result{}, nil
}

// A lock may be of another day.
func TestLockOfAnotherDay(t *testing.T) {
	at := time.Now().Add(-13 * time.Hour)
	day := " " + at.Format("2006-01-02 15:04:05 MST")
	if d := (&HostDeployment{State: DeploymentLeft, By: "me", Since: at}); !strings.HasSuffix(d.note("a"), day) {
		t.Error(d.note("a"))
	}
	if e := (&lockedError{host: "a", by: "me", since: at}); !strings.HasSuffix(e.Error(), day) {
		t.Error(e)
	}
	if at = time.Now().Add(-time.Minute); !strings.HasSuffix((&lockedError{by: "me", since: at}).Error(), " at "+at.Format("15:04:05 MST")) {
		t.Error("a minute ago is of another day")
	}
}
