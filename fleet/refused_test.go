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

// answers is a host that answers one call after the other, the last of them for ever;
// "" is a sudo that does not take the password.
type answers struct {
	all   []string
	calls int
}

func (*answers) NixSSHOpts() string { return "" }
func (a *answers) Fresh(ctx context.Context, c sshpool.Cmd) (sshpool.Result, error) {
	return a.Run(ctx, c)
}
func (a *answers) Run(_ context.Context, c sshpool.Cmd) (sshpool.Result, error) {
	text := a.all[min(a.calls, len(a.all)-1)]
	a.calls++
	if text == "" {
		return sshpool.Result{}, &sshpool.ExitError{Argv: c.Argv, Code: 1, Stderr: "sudo: 1 incorrect password attempt\n"}
	}
	for line := range strings.Lines("\n" + rootMark + "\n" + text) {
		c.Stdout(strings.TrimSuffix(line, "\n"))
	}
	return sshpool.Result{}, nil
}

// A new system that does not take the password is not confirmed. sudo is asked once
// more, when the host should be back on the old one, and no third time.
func TestNewSystemRefusesPassword(t *testing.T) {
	for name, c := range map[string]struct {
		all  []string
		says string
	}{
		"goes back": {[]string{"", "flotilla-unit 1\nended restored 0 it was not confirmed within 1m30s\ncurrent " + string(oldSystem) + "\nend ended\n"},
			"the host went back to the old system by itself: it was not confirmed within 1m30s (sudo did not take the password: sudo: 1 incorrect password attempt)"},
		"does not": {[]string{""}, "nobody could become root after the activation, so that it was not confirmed: sudo did not take the password"},
	} {
		synctest.Test(t, func(t *testing.T) {
			host := &answers{all: c.all}
			f := &Fleet{Inventory: &Inventory{}}
			f.passwords.get = func(context.Context, Host) (Password, error) { return NewPassword("x") }
			var warned []string
			f.sink = SinkFunc(func(e Event) { warned = append(warned, e.Text) })
			j := &job{fleet: f, host: Host{Name: "a"}}
			s := surveyed{conn: host, survey: Survey{Root: RootSudoPassword, Current: oldSystem, Profile: oldSystem}}
			s.eval.Toplevel = newSystem
			u := j.newUnit(t.Context(), StepCommit, s)
			u.guard = j.newGuard(s)
			began := time.Now()
			_, err := u.commit(t.Context(), true)
			took := time.Since(began)
			if err == nil || !strings.Contains(err.Error(), c.says) || host.calls != 2 || took < u.guard.confirm || took > u.guard.confirm+time.Minute {
				t.Errorf("%s: %v after %d calls and %s", name, err, host.calls, took)
			}
			var ended *endedError
			if errors.As(err, &ended) != (name == "goes back") {
				t.Errorf("%s: %T", name, err)
			}
			if len(warned) != 1 || !strings.Contains(warned[0], "lets nobody become root") {
				t.Errorf("%s: warned %q", name, warned)
			}
		})
	}
}

// Nix's answer differs between versions.
func TestSaysUntrusted(t *testing.T) {
	for text, want := range map[string]bool{
		`{"trusted":0,"url":"daemon","version":"2.26.3"}`: true, `{"trusted":false}`: true,
		`{"trusted":1}`: false, `{"trusted":true}`: false, `{"trusted":null}`: false, `{}`: false, "": false, "error": false,
	} {
		if saysUntrusted([]byte(text)) != want {
			t.Errorf("%s: want %t", text, want)
		}
	}
}

// Only hosts that no run has seen are asked whether sudo wants a password, and only
// if that is of interest.
func TestWantPassword(t *testing.T) {
	l := &pretended{surveys: map[string]string{"a": strings.Replace(goodSurvey, "root yes", "root sudo-password", 1), "b": goodSurvey}}
	f := l.open(t, nil)
	names := func(hosts []Host) (all []string) {
		for _, h := range hosts {
			all = append(all, h.Name)
		}
		return all
	}
	if got := names(f.WantPassword(t.Context(), f.Inventory.Hosts)); len(got) != 1 || got[0] != "a" {
		t.Errorf("asked: %v", got) // c is down
	}
	f.history.add("c", learnt{Root: RootSudoPassword})
	f.history.add("a", learnt{Root: RootSudo})
	hosts := f.Inventory.Hosts
	if got := names(f.WantPassword(t.Context(), hosts)); len(got) != 1 || got[0] != "c" {
		t.Errorf("known: %v", got)
	}
	hosts[2].Become = BecomeDoas
	if got := f.WantPassword(t.Context(), hosts); got != nil {
		t.Errorf("doas: %v", got)
	}
	hosts[2].Become, hosts[2].User = BecomeAuto, "root"
	if got := f.WantPassword(t.Context(), hosts); got != nil {
		t.Errorf("root: %v", got)
	}
}
