package fleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

// A commit whose connection dropped, and of which the host knows nothing any more when it
// is asked again, was made if the host is as it was to leave it.
func TestCommitThatIsOver(t *testing.T) {
	const other = "/nix/store/00000000000000000000000000000000-other"
	for name, c := range map[string]struct {
		live                         bool
		generation, current, profile string
		made                         bool
	}{
		"switched":               {true, "-", string(newSystem), string(newSystem), true},
		"gone back":              {true, "-", other, other, false},
		"not the one that boots": {true, "-", string(newSystem), other, false},
		"activated":              {true, "none", string(newSystem), other, true},
		"activated, gone back":   {true, "none", other, other, false},
		"staged":                 {false, "-", other, string(newSystem), true},
		"staged, undone":         {false, "-", other, other, false},
	} {
		u := &unit{step: StepCommit, toplevel: newSystem, active: newSystem, live: c.live, generation: c.generation}
		end := &unitEnd{answer: answer{end: "over", values: map[string]string{"current": c.current, "profile": c.profile}}}
		var ended *endedError
		err := u.check(end, nil, nil)
		if made := errors.As(err, &ended) && ended.result == "committed"; err == nil || made != c.made {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Only a call that is still heard forgets a deployment: the next one, which joins the same
// unit, could not tell how it ended.
func TestUnheardCommitForgetsNothing(t *testing.T) { eachShell(t, testUnheardCommitForgetsNothing) }

func testUnheardCommitForgetsNothing(t *testing.T, env []string) {
	head, _, ok := strings.Cut(terse(unitScript), "case $mode in\nclean)")
	if !ok {
		t.Fatal("unit.sh is not what it was")
	}
	for _, heard := range []bool{true, false} {
		dropped := filepath.Join(t.TempDir(), "dropped")
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		cmd := exec.CommandContext(t.Context(), "env", "sh", "-c", head+`
look() { load=loaded active=active sub=exited result=success code=1 status=0 job=; read -r go; }
journal() { :; }
drop() { : >"$dropped"; }
follow
wait
`, "sh", "commit", "flotilla-commit-x")
		cmd.Env = append(env, "dropped="+dropped)
		cmd.Stdout = w
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		w.Close()
		if !heard { // before the unit ends
			r.Close()
		}
		in.Write([]byte("go\n"))
		in.Close()
		err = cmd.Wait()
		_, missing := os.Stat(dropped)
		if got := missing == nil; got != heard {
			t.Errorf("heard %t, but forgotten %t: %v", heard, got, err)
		}
	}
}

// What was to be taken back, and is gone because somebody has confirmed it meanwhile, is told
// as that, with what was wrong with it.
func TestConfirmedBeforeTakenBack(t *testing.T) {
	for name, c := range map[string]struct {
		answer, says, hint string
	}{
		"forgotten":           {fmt.Sprintf("current %s\nprofile %[1]s\nend over\n", newSystem), "someone else has confirmed the new system, which was to be taken back: health: 1 of 1 check failed: web", "it runs and boots 1111111-new"},
		"not forgotten":       {fmt.Sprintf("ended committed 0\ncurrent %s\nprofile %[1]s\nend ended\n", newSystem), "someone else has confirmed the new system, which was to be taken back: health: 1 of 1 check failed: web", "it runs and boots 1111111-new"},
		"somebody's own boot": {fmt.Sprintf("current %s\nprofile %s\nend over\n", newSystem, oldSystem), "the host knows nothing of this deployment any more", ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			f, h := hospital(t, func(p nixcmd.StorePath) bool { return p != newSystem })
			f.dialer = settled{h, "flotilla-unit 1\n" + c.answer}
			r := deployOne(t, f, DeployOptions{})
			var se *StepError
			if r.Outcome != Failed || !errors.As(r.Err, &se) || se.Step != StepRestore || !strings.HasPrefix(se.Brief, c.says) || se.Hint != c.hint {
				t.Errorf("%s: %s: %+v", name, r.Outcome, se)
			}
		})
	}
}

// Whoever does not wait for a system to be taken back is told what becomes of the host, and
// what was wrong: not to confirm what can no longer be confirmed.
func TestTakingBackIsNotWaitedFor(t *testing.T) {
	for name, answer := range map[string]string{"begun": "flotilla-unit 1\n", "not begun": ""} {
		synctest.Test(t, func(t *testing.T) {
			f, h := hospital(t, func(p nixcmd.StorePath) bool { return p != newSystem })
			ctx, cancel := context.WithCancelCause(t.Context())
			abandon := make(chan struct{})
			f.dialer = unsettled{h, answer, func() {
				cancel(errors.New("interrupted"))
				close(abandon)
			}}
			r := f.Deploy(ctx, f.Inventory.Hosts, DeployOptions{Abandon: abandon}).Results[0]
			var se *StepError
			if r.Outcome != Cancelled || !errors.As(r.Err, &se) || se.Step != StepRestore || se.Brief != "no longer waited for" || strings.Contains(se.Hint, "confirm") ||
				!strings.HasSuffix(se.Hint, "the host goes back to 0000000-old by itself; what was wrong: health: 1 of 1 check failed: web") {
				t.Errorf("%s: %s: %+v", name, r.Outcome, se)
			}
		})
	}
}

// unsettled is a host that, when it is to bring the old system back, says no more than this.
type unsettled struct {
	*fakeHost
	answer string
	asked  func()
}

func (h unsettled) Connect(context.Context, Host) (Remote, error) { return h, nil }

func (h unsettled) Run(ctx context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
	if unit := sent(cmd); unit.Script != terse(unitScript) && unit.Script != activateScript() || unit.Argv[0] != "restore" {
		return h.fakeHost.Run(ctx, cmd)
	}
	for line := range strings.Lines(h.answer) {
		cmd.Stdout(strings.TrimSuffix(line, "\n"))
	}
	h.asked()
	<-ctx.Done()
	return sshpool.Result{}, &sshpool.Error{Kind: sshpool.KindCancelled, Err: context.Cause(ctx)}
}

// settled is a host that answers so when it is to bring the old system back.
type settled struct {
	*fakeHost
	answer string
}

func (h settled) Connect(context.Context, Host) (Remote, error) { return h, nil }

func (h settled) Run(ctx context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
	if unit := sent(cmd); unit.Script != terse(unitScript) && unit.Script != activateScript() || unit.Argv[0] != "restore" {
		return h.fakeHost.Run(ctx, cmd)
	}
	for line := range strings.Lines(h.answer) {
		cmd.Stdout(strings.TrimSuffix(line, "\n"))
	}
	return sshpool.Result{Stdout: []byte(h.answer)}, nil
}
