package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/nixflotilla/flotilla/sshpool"
)

// shut is a host that takes no new connection, on which the new system waits to be confirmed.
type shut struct {
	*fakeHost
	restore string
}

func (h shut) Connect(context.Context, Host) (Remote, error) { return h, nil }

func (h shut) Fresh(context.Context, sshpool.Cmd) (sshpool.Result, error) {
	return sshpool.Result{}, &sshpool.Error{Kind: sshpool.KindUnreachable, NotStarted: true, Err: errors.New("no route")}
}

func (h shut) Run(ctx context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
	unit := sent(cmd)
	lock := "lock/id abc\nlock/restore " + h.restore
	switch {
	case unit.Script == surveyScript && h.current == newSystem:
		return sshpool.Result{Stdout: []byte(fmt.Sprintf("flotilla-survey 1\ncurrent %s\nprofile %s\nboot-id b\nsystemd yes\nnix x\nnix-daemon /bin/nix-daemon\nroot yes\n%s\nlock/previous %[2]s\n"+
			"lock/units flotilla-confirm-abc.timer/waiting\nend ok\n", newSystem, oldSystem, lock))}, nil
	case unit.Script == terse(unitScript) && unit.Argv[0] == "look":
		return sshpool.Result{Stdout: []byte(fmt.Sprintf("flotilla-unit 1\nlock/toplevel %s\nlock/active %[1]s\n%s\nlock/status 0\nend waiting\n", newSystem, lock))}, nil
	}
	return h.fakeHost.Run(ctx, cmd)
}

// Of a host that cannot be confirmed, only what becomes of it is told: it goes back to what it
// ran before, if it goes back at all.
func TestUnconfirmedIsToldTruly(t *testing.T) {
	const until, back = "trying again until it goes back by itself", "the host was to go back to 0000000-old by itself"
	for _, c := range []struct {
		name    string
		restore bool
		do      func(*testing.T, *Fleet) Result
		hint    string
	}{
		{"deployed", true, func(t *testing.T, f *Fleet) Result { return deployOne(t, f, DeployOptions{SkipHealth: true}) }, back},
		{"without rollback", false, func(t *testing.T, f *Fleet) Result {
			return deployOne(t, f, DeployOptions{SkipHealth: true, NoRollback: true})
		}, "the new system is live, but not confirmed"},
		{"for the next boot", false, func(t *testing.T, f *Fleet) Result { return deployOne(t, f, DeployOptions{Boot: true}) }, "nothing was activated"},
		{"confirmed by hand", true, confirmOne, back},
		{"confirmed by hand, without rollback", false, confirmOne, "the new system is live, but not confirmed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, h := hospital(t, always(true))
				restore := "no"
				if c.restore {
					restore = "yes"
				}
				f.dialer = shut{h, restore}
				var told []string
				f.sink = SinkFunc(func(e Event) {
					if e.Kind == KindWarning {
						told = append(told, e.Text)
					}
				})
				if strings.HasPrefix(c.name, "confirmed") {
					h.current = newSystem
				}
				r := c.do(t, f)
				var se *StepError
				if !errors.As(r.Err, &se) || !strings.HasPrefix(se.Hint, c.hint) || strings.Contains(se.Hint, "go back") != c.restore {
					t.Errorf("%s: %v: %+v", c.name, r.Outcome, se)
				}
				if len(told) != 1 || strings.Contains(told[0], until) != c.restore {
					t.Errorf("%s: %q", c.name, told)
				}
			})
		})
	}
}

func confirmOne(t *testing.T, f *Fleet) Result {
	t.Helper()
	return f.Confirm(t.Context(), f.Inventory.Hosts, ConfirmOptions{SkipHealth: true}).Results[0]
}
