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

// stuck is a host that takes every connection, and whose service manager has stopped to answer
// once the activation has begun: unit.sh says that it is there and fails.
type stuck struct {
	*fakeHost
	calls int
}

func (h *stuck) Connect(context.Context, Host) (Remote, error) { return h, nil }

func (h *stuck) Run(ctx context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
	unit := sent(cmd)
	if unit.Script != terse(unitScript) && unit.Script != activateScript() {
		return h.fakeHost.Run(ctx, cmd)
	}
	if h.calls++; h.calls > 1000 {
		cmd.Stdout("end vanished")
		return sshpool.Result{}, nil
	}
	cmd.Stdout("flotilla-unit 1")
	if h.calls < 3 { // it drops first, which is no trouble of the host's
		time.Sleep(reattachFor)
		return sshpool.Result{}, &sshpool.Error{Kind: sshpool.KindLost, Err: errors.New("broken pipe")}
	}
	return sshpool.Result{}, &sshpool.ExitError{Code: 1}
}

// A host that can be reached and tells nothing is given up like one that cannot.
func TestStuckHostIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, h := hospital(t, always(true))
		s := &stuck{fakeHost: h}
		f.dialer = s
		warned := 0
		f.sink = SinkFunc(func(e Event) {
			if e.Kind == KindWarning {
				warned++
			}
		})
		began := time.Now()
		r := deployOne(t, f, DeployOptions{SkipHealth: true})
		took := time.Since(began)
		if r.Outcome != Failed || !strings.Contains(r.Err.Error(), "the host did not tell what became of it within 3m0s") {
			t.Errorf("%s: %v", r.Outcome, r.Err)
		}
		if s.calls > 1000 || took < 3*reattachFor || took > 4*reattachFor || warned != 2 {
			t.Errorf("given up after %s, %d calls and %d warnings", took, s.calls, warned)
		}
	})
}
