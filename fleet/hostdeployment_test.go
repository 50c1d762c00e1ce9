package fleet

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A deployment that has a host is under way, waits, or was left.
func TestDeploymentOf(t *testing.T) {
	const lock = "status/lock/id abc\nstatus/lock/by me@here (pid 1)\nstatus/lock/since 1795560382\nstatus/lock/toplevel " + string(newSystem) +
		"\nstatus/lock/previous " + string(oldSystem) + "\nstatus/lock/confirm 1m30s\nstatus/lock/restore yes\nstatus/now 1795560400\nstatus/lock/armed 1795560390\n"
	for _, c := range []struct {
		units string
		state DeploymentState
		left  time.Duration
		says  string
	}{
		{"flotilla-guard-abc.timer/waiting flotilla-activate-abc.service/running", DeploymentRuns, 0, ""},
		{"flotilla-confirm-abc.timer/waiting flotilla-activate-abc.service/exited", DeploymentWaits, 80 * time.Second, "waits 1m20s to be confirmed: `confirm a`, or it goes back to 0000000-old, by me@here (pid 1) since "},
		{"flotilla-confirm-abc.timer/waiting flotilla-commit-abc.service/start", DeploymentRuns, 0, ""},
		{"flotilla-confirm-abc.timer/running flotilla-confirm-abc.service/running", DeploymentRuns, 0, ""},
		{"flotilla-activate-abc.service/failed", DeploymentLeft, 0, "a lock was left, which `unlock a` or the next deployment removes, by me@here"},
		{"", DeploymentLeft, 0, "a lock was left"},
	} {
		s, err := parseStatus(strings.Replace(goodSurvey, "end ok", lock+"status/lock/units "+c.units+"\nend ok", 1))
		if err != nil {
			t.Fatal(err)
		}
		d := s.Deployment
		if d == nil || d.State != c.state || d.Left != c.left || !d.GoesBack || d.System != newSystem {
			t.Errorf("%s: %+v", c.units, d)
			continue
		}
		notes := strings.Join(Result{Host: Host{Name: "a"}, Status: s}.Attention(), "\n")
		if !strings.Contains(notes, c.says) || c.state == DeploymentRuns && strings.Contains(notes, "confirm `") {
			t.Errorf("%s: %s", c.units, notes)
		}
		if (s.Busy() != "") != (c.state == DeploymentWaits) {
			t.Errorf("%s: busy: %q", c.units, s.Busy())
		}
	}
	s, err := parseStatus(goodSurvey)
	if err != nil || s.Deployment != nil {
		t.Errorf("%+v, %v", s, err)
	}
	rapid.Check(t, func(t *rapid.T) {
		a := answer{values: map[string]string{"status/lock/id": "x", "status/now": rapid.StringMatching(`-?[0-9]{0,22}`).Draw(t, "now")}}
		for _, key := range []string{"by", "since", "units", "armed", "confirm", "restore"} {
			a.values["status/lock/"+key] = rapid.OneOf(rapid.String(), rapid.StringMatching(`-?[0-9]{1,20}`), rapid.Just("flotilla-confirm-x.timer/waiting"), rapid.Just("90s")).Draw(t, key)
		}
		d := deploymentOf(a)
		if d.Left < 0 || d.State == "" || d.note("h") == "" {
			t.Errorf("%+v", d)
		}
	})
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
