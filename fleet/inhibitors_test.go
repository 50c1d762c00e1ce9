package fleet

import (
	"context"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/nixflotilla/flotilla/sshpool"
)

// inhibiting is a fakeHost that tells of switch inhibitors when it is asked to.
type inhibiting struct {
	*fakeHost
	live, next string
	checks     []string
}

func (h *inhibiting) Connect(context.Context, Host) (Remote, error) { return h, nil }

func (h *inhibiting) Run(ctx context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
	cmd = sent(cmd)
	if len(cmd.Argv) == 0 || cmd.Argv[0] != "activate" {
		return h.fakeHost.Run(ctx, cmd)
	}
	check := cmd.Argv[len(cmd.Argv)-1]
	h.checks = append(h.checks, cmd.Argv[5]+" "+check)
	if check == "ask" {
		for _, line := range []string{"flotilla-unit 1", "inhibitors/live " + h.live, "inhibitors/next " + h.next, "end inhibited"} {
			cmd.Stdout(line)
		}
		return sshpool.Result{}, nil
	}
	if cmd.Argv[5] == "stage" {
		for _, line := range []string{"flotilla-unit 1", "result success", "code 1", "status 0", "untouched yes", "end ok"} {
			cmd.Stdout(line)
		}
		return sshpool.Result{}, nil
	}
	return h.fakeHost.Run(ctx, cmd)
}

// Inhibitors that differ stage a system; those that do not, and a deployment without
// checks, activate it.
func TestInhibitedIsStaged(t *testing.T) {
	for _, c := range []struct {
		name, live, next string
		opt              DeployOptions
		outcome          Outcome
		checks           string
	}{
		{"differ", `{"nvidia":"570"}`, `{"nvidia":"575"}`, DeployOptions{}, Staged, "test ask; stage go"},
		{"other keys", `{"nvidia":"570"}`, `{"zfs":"2"}`, DeployOptions{}, Switched, "test ask; test go"},
		{"differ, for the next boot", `{"nvidia":"570"}`, `{"nvidia":"575"}`, DeployOptions{Boot: true}, Staged, "stage go"},
		{"no checks", `{"nvidia":"570"}`, `{"nvidia":"575"}`, DeployOptions{NoCheck: true}, Switched, "test no"},
		{"only to activate", `{"nvidia":"570"}`, `{"nvidia":"575"}`, DeployOptions{ActivateOnly: true}, Failed, "test ask"},
	} {
		f, fake := hospital(t, always(true))
		f.Inventory.Health = Health{}
		h := &inhibiting{fakeHost: fake, live: c.live, next: c.next}
		f.dialer = h
		r := deployOne(t, f, c.opt)
		if r.Outcome != c.outcome || strings.Join(h.checks, "; ") != c.checks {
			t.Errorf("%s: %s %v, asked %q", c.name, r.Outcome, r.Err, h.checks)
		}
		if c.outcome == Staged && !c.opt.Boot && (!strings.Contains(r.Reason, "staged for the next boot, because the switch inhibitor nvidia (570 → 575) differs") || h.current != oldSystem || h.profile != newSystem) {
			t.Errorf("%s: %+v, runs %s, boots %s", c.name, r, h.current, h.profile)
		}
	}
}

// Whatever the files hold, only keys of both count.
func TestDifferingInhibitors(t *testing.T) {
	for _, c := range []struct {
		live, next string
		want       int
	}{
		{`{"a":"1","b":"1"}`, `{"a":"2","b":"2","c":"3"}`, 2}, {`{}`, `{"a":"2"}`, 0}, {``, ``, 0}, {`{"a":1}`, `{"a":2}`, 1},
		{`{"a":"1"}`, `["a"]`, 0}, {`{"a":"1"}`, `{"a":"1"}`, 0}, {`{"a":"1"`, `{"a":"2"}`, 0},
	} {
		if got := differingInhibitors(c.live, c.next); len(got) != c.want {
			t.Errorf("%s, %s: %v", c.live, c.next, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		differingInhibitors(rapid.String().Draw(t, "live"), rapid.String().Draw(t, "next"))
	})
}
