package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/nixflotilla/flotilla/sshpool"
)

// What a host is told is one word per argument that systemd and a shell's read take
// as it is, whatever the user and the machine are called.
func TestGuardArguments(t *testing.T) {
	g := &guard{by: "u", timeout: 15 * time.Minute, confirm: 90*time.Second + 1500*time.Microsecond, restore: true}
	if got := strings.Join(g.arguments(), " "); got != "u 15m0s 1m30.002s yes" {
		t.Error(got)
	}
	if got := exact(time.Microsecond); got != "1ms" {
		t.Error(got)
	}
	if by := whoami(); strings.ContainsFunc(by, func(r rune) bool { return r < ' ' }) || !strings.Contains(by, "@") {
		t.Errorf("%q", by)
	}
}

// Whatever a host's report holds, the survey comes to an end and makes sense.
func TestRestoredOfAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := answer{values: map[string]string{}}
		for _, key := range []string{"as", "of", "by", "at", "why"} {
			a.values["restored/"+key] = rapid.String().Draw(t, key)
		}
		if r := restoredOf(a); r != nil && r.String() == "" {
			t.Error("says nothing")
		}
	})
	if restoredOf(answer{values: map[string]string{}}) != nil {
		t.Error("tells of what never was")
	}
	s, err := parseSurvey(strings.Replace(goodSurvey, "end ok", "restored/as restored\nrestored/of "+string(newSystem)+"\nrestored/by me@here (pid 1)\nrestored/at 1795560382\nrestored/why late\nend ok", 1))
	if err != nil || s.Restored == nil || s.Restored.System != newSystem || s.Restored.By != "me@here (pid 1)" || s.Restored.At.Unix() != 1795560382 || !s.Restored.OK {
		t.Errorf("%+v: %v", s.Restored, err)
	}
}

// cutOff is a host that takes no new connection after an activation until back says so,
// and has gone back by itself by then.
type cutOff struct {
	*fakeHost
	back func() bool
}

func (h cutOff) Connect(context.Context, Host) (Remote, error) { return h, nil }

func (h cutOff) Fresh(ctx context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
	if !h.back() {
		return sshpool.Result{}, &sshpool.Error{Kind: sshpool.KindUnreachable, NotStarted: true, Err: errors.New("refused")}
	}
	h.current = oldSystem
	for _, line := range []string{"flotilla-unit 1", "ended restored 0 not confirmed", fmt.Sprintf("current %s", h.current), "end ended"} {
		cmd.Stdout(line)
	}
	return sshpool.Result{}, nil
}

// stopped is a host whose guard ends an activation with a signal, and which says only later
// why, or whose activation somebody else has ended.
type stopped struct {
	*fakeHost
	why string
}

func (h stopped) Connect(context.Context, Host) (Remote, error) { return h, nil }

func (h stopped) Run(ctx context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
	text := ""
	if unit := sent(cmd); unit.Script == terse(unitScript) || unit.Script == activateScript() {
		switch unit.Argv[0] {
		case "activate":
			text = fmt.Sprintf("flotilla-unit 1\nlog setting up /etc...\nresult timeout\ncode 2\nstatus 9\ncurrent %s\nprofile %s\nend ok\n", newSystem, oldSystem)
		case "restore":
			text = fmt.Sprintf("flotilla-unit 1\nresult success\ncode 1\nstatus 0\nended restored 0 %s\ncurrent %s\nprofile %[2]s\nend ok\n",
				or(h.why, unit.Argv[len(unit.Argv)-2]), oldSystem)
		}
	}
	if text == "" {
		return h.fakeHost.Run(ctx, cmd)
	}
	for line := range strings.Lines(text) {
		cmd.Stdout(strings.TrimSuffix(line, "\n"))
	}
	return sshpool.Result{Stdout: []byte(text)}, nil
}

// An activation that the guard has ended failed for the guard's reason, not for its signal.
func TestGuardSaysWhyItEnded(t *testing.T) {
	for why, want := range map[string]string{
		"its activation did not end within 3s": "the host went back to the old system by itself: its activation did not end within 3s",
		"":                                     "switch-to-configuration was ended by a signal",
	} {
		synctest.Test(t, func(t *testing.T) {
			f, h := hospital(t, always(true))
			f.dialer = stopped{h, why}
			r := deployOne(t, f, DeployOptions{})
			var se *StepError
			if r.Outcome != RolledBack || !errors.As(r.Err, &se) || se.Step != StepActivate || se.Brief != want ||
				!strings.Contains(se.Hint, "it runs and boots 0000000-old, as before") || !slices.Contains(se.Details, "setting up /etc...") {
				t.Errorf("%s: %+v, want %q", r.Outcome, r.Err, want)
			}
		})
	}
}

// A host that takes no new connection is tried until it has gone back, which is its
// outcome; one that does not even do that is unreachable in the end.
func TestNoNewConnection(t *testing.T) {
	for _, returns := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			f, h := hospital(t, always(true))
			f.Inventory.Health = Health{}
			f.dialer = cutOff{h, func() bool { return returns && time.Since(began) > 100*time.Second }}
			r := deployOne(t, f, DeployOptions{})
			var se *StepError
			if !errors.As(r.Err, &se) || se.Step != StepCommit {
				t.Fatalf("%+v", r)
			}
			switch {
			case returns && (r.Outcome != RolledBack || !strings.Contains(se.Brief, "by itself: not confirmed (")):
				t.Errorf("%s: %s", r.Outcome, se.Brief)
			case !returns && (r.Outcome != Unreachable || r.Duration < 150*time.Second || r.Duration > 160*time.Second || !strings.Contains(se.Hint, "was to go back to 0000000-old by itself within 1m30s")):
				t.Errorf("%s after %s: %s", r.Outcome, r.Duration, se.Hint)
			}
		})
	}
}
