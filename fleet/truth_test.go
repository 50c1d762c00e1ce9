package fleet

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nixflotilla/flotilla/sshpool"
)

// While the marker of a commit stands nobody says what the host boots.
func TestBootsIsNotKnown(t *testing.T) {
	const unknown = "what it boots is not known: a commit was cut short; its profile is 1111111-new"
	s := Survey{Current: oldSystem, Booted: oldSystem, Profile: newSystem, Uncommitted: true}
	both := s
	both.Current = newSystem
	u := &unit{step: StepActivate, survey: s}
	_, settled := both.settled()
	for what, text := range map[string]string{
		"survey":      s.String(),
		"both":        both.String(),
		"now":         s.nowRuns(oldSystem),
		"now, both":   both.nowRuns(newSystem),
		"plan":        decide(Survey{Current: newSystem, Profile: oldSystem, Uncommitted: true}, newSystem, "", false).Reason,
		"boot":        decideBoot(s, oldSystem, false).Reason,
		"rollback":    decideGeneration(s, Generation{Number: 3, Path: oldSystem}, oldSystem).Reason,
		"to profile":  decideGeneration(s, Generation{Number: 4, Path: newSystem}, newSystem).Reason,
		"reboot":      s.rebootReason(),
		"power cut":   u.boots(),
		"generations": profileHistory{all: []Generation{{Number: 4, Path: newSystem}}}.text(both),
		"reactivate":  settled.Error(),
	} {
		for _, claim := range []string{"and boots", ", boots ", " boots 1", " boots 0", "would boot 1", "will boot", "what it boots:"} {
			if strings.Contains(text, claim) {
				t.Errorf("%s: %s", what, text)
			}
		}
	}
	if got := s.String(); got != "runs 0000000-old; "+unknown+", 0 MiB free" {
		t.Error(got)
	}
	if got := s.nowRuns(oldSystem); got != "it runs 0000000-old; "+unknown {
		t.Error(got)
	}
}

// A host that is to boot what it runs and boots already is told so.
func TestBootOfWhatRuns(t *testing.T) {
	s := Survey{Current: newSystem, Profile: newSystem}
	if got := decideBoot(s, newSystem, true).Reason; !strings.HasPrefix(got, "it already runs and boots this system, and will be as before") {
		t.Error(got)
	}
	f, h := hospital(t, always(true))
	h.current, h.profile = newSystem, newSystem
	var done string
	f.sink = SinkFunc(func(e Event) {
		if e.Kind == KindDone && e.Step == StepCommit {
			done = e.Text
		}
	})
	if r := deployOne(t, f, DeployOptions{Boot: true, Force: true}); r.Outcome != Staged || done != "runs and boots 1111111-new, as before: nothing has changed" {
		t.Errorf("%s, %q: %v", r.Outcome, done, r.Err)
	}
	h.current, h.profile = oldSystem, oldSystem
	if r := deployOne(t, f, DeployOptions{Boot: true}); r.Outcome != Staged || done != "boots 1111111-new next" {
		t.Errorf("%s, %q: %v", r.Outcome, done, r.Err)
	}
}

// cutPower is a host that loses its power in a step.
type cutPower struct {
	*fakeHost
	step string
	gone bool
	// down says that it does not come back, but for the answer.
	down bool
}

func (h *cutPower) Connect(context.Context, Host) (Remote, error) {
	if h.gone && h.down {
		return nil, &sshpool.Error{Kind: sshpool.KindUnreachable, NotStarted: true, Err: errors.New("no route")}
	}
	return h, nil
}
func (h *cutPower) Fresh(ctx context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
	return h.Run(ctx, cmd)
}

func (h *cutPower) Run(ctx context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
	unit := sent(cmd)
	if unit.Script != terse(unitScript) && unit.Script != activateScript() || unit.Argv[0] != h.step {
		return h.fakeHost.Run(ctx, cmd)
	}
	h.gone, h.current = true, h.profile
	cmd.Stdout("flotilla-unit 1")
	cmd.Stdout("end rebooted")
	return sshpool.Result{}, nil
}

// What a host is after a power cut is told, if it answers, and else that it is not known.
func TestPowerCutIsToldInFull(t *testing.T) {
	for _, c := range []struct {
		step string
		down bool
		hint string
	}{
		{"activate", false, "it runs and boots 0000000-old; deploy again"},
		{"activate", true, "what it runs and boots now is not known: unreachable: no route; deploy again"},
		{"commit", false, "it runs and boots 0000000-old; deploy again"},
	} {
		synctest.Test(t, func(t *testing.T) {
			f, h := hospital(t, always(true))
			f.dialer = &cutPower{fakeHost: h, step: c.step, down: c.down}
			r := deployOne(t, f, DeployOptions{SkipHealth: true})
			var se *StepError
			if r.Outcome != Failed || !errors.As(r.Err, &se) || se.Brief != "the host has rebooted in the meantime" || se.Hint != c.hint {
				t.Errorf("%+v: %s: %+v: %s", c, r.Outcome, se, se.Hint)
			}
		})
	}
}

// offline is a host whose network the new system takes down. It goes back after a while.
type offline struct {
	*fakeHost
	back time.Time
	// stalls says that the session outlives it.
	stalls bool
	begun  bool
}

func (h *offline) Connect(ctx context.Context, _ Host) (Remote, error) {
	if h.begun && time.Now().Before(h.back) {
		return nil, &sshpool.Error{Kind: sshpool.KindUnreachable, NotStarted: true, Err: errors.New("no route")}
	}
	return h, nil
}

func (h *offline) Fresh(ctx context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
	return h.Run(ctx, cmd)
}

func (h *offline) Run(ctx context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
	unit := sent(cmd)
	if unit.Script != terse(unitScript) && unit.Script != activateScript() {
		return h.fakeHost.Run(ctx, cmd)
	}
	say := func(lines ...string) (sshpool.Result, error) {
		for _, line := range lines {
			if cmd.Stdout != nil {
				cmd.Stdout(line)
			}
		}
		return sshpool.Result{}, nil
	}
	ended := []string{"flotilla-unit 1", "ended restored 0 it was not confirmed within 8s", "current " + string(oldSystem), "end ended"}
	switch {
	case unit.Argv[0] == "activate" && !h.begun:
		h.begun, h.back = true, time.Now().Add(12*time.Second)
		say("flotilla-unit 1", "log Checking switch inhibitors... done")
		if h.stalls {
			time.Sleep(12 * time.Second)
			return say("log setting up /etc...", "result success", "code 1", "status 0", "end ok")
		}
		time.Sleep(3 * time.Second)
		return sshpool.Result{}, &sshpool.Error{Kind: sshpool.KindLost, Err: errors.New("timed out")}
	case unit.Argv[0] == "clean":
		return say("end ok")
	}
	return say(ended...)
}

// That a host could not be reached while it waited to be confirmed is told, when the
// waiting begins and in the end.
func TestNetworkTakenDown(t *testing.T) {
	for _, c := range []struct {
		stalls             bool
		step               Step
		brief, begins, not string
	}{
		{false, StepActivate, "it was not confirmed within 8s (unreachable: no route)", "no new connection to the host can be made: unreachable: no route; trying again until it goes back by itself", "nothing was heard"},
		{true, StepCommit, "it was not confirmed within 8s (nothing was heard from it for 12s before)", "nothing was heard from the host for 5s: it is still at work, or cannot be reached and will go back by itself", "no new connection"},
	} {
		synctest.Test(t, func(t *testing.T) {
			f, h := hospital(t, always(true))
			f.dialer = &offline{fakeHost: h, stalls: c.stalls}
			var told []string
			f.sink = SinkFunc(func(e Event) {
				if e.Kind == KindWarning || e.Kind == KindProgress && e.Step == StepActivate {
					told = append(told, e.Text)
				}
			})
			r := deployOne(t, f, DeployOptions{SkipHealth: true})
			var se *StepError
			if r.Outcome != RolledBack || !errors.As(r.Err, &se) || se.Step != c.step || !strings.HasSuffix(se.Brief, c.brief) {
				t.Errorf("%s: %+v", r.Outcome, se)
			}
			all := strings.Join(told, "\n")
			if strings.Count(all, c.begins) != 1 || strings.Contains(all, c.not) {
				t.Errorf("told %q", told)
			}
		})
	}
}
