package fleet

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

// waiting is a fakeHost with a deployment that waits to be confirmed.
type waiting struct {
	*fakeHost
	lock   string
	commit []string
}

func (h *waiting) Connect(context.Context, Host) (Remote, error) { return h, nil }
func (h *waiting) Fresh(ctx context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
	return h.Run(ctx, cmd)
}

func (h *waiting) Run(ctx context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
	cmd = sent(cmd)
	if len(cmd.Argv) > 0 && cmd.Argv[0] == "look" {
		return sshpool.Result{Stdout: []byte("flotilla-unit 1\nlock/id abc\nlock/by me\nlock/toplevel " + string(newSystem) + "\n" + h.lock + "end waiting\n")}, nil
	}
	if len(cmd.Argv) > 0 && cmd.Argv[0] == "commit" {
		h.commit = cmd.Argv
	}
	return h.fakeHost.Run(ctx, cmd)
}

// What waits is confirmed as what it was deployed as, if the host is well.
func TestConfirmWhatWaits(t *testing.T) {
	const variants = "lock/active " + string(variant) + "\n"
	for _, c := range []struct {
		name, lock string
		current    nixcmd.StorePath
		well       bool
		opt        ConfirmOptions
		outcome    Outcome
		live       string // commit's word for it; "" is no commit
		active     nixcmd.StorePath
	}{
		{"as usual", "lock/active " + string(newSystem) + "\nlock/status 0\n", newSystem, true, ConfirmOptions{}, Switched, "live", newSystem},
		{"by an older Flotilla", "", newSystem, true, ConfirmOptions{}, Switched, "live", newSystem},
		{"a specialisation", variants, variant, true, ConfirmOptions{}, Switched, "live", variant},
		{"only activated", "lock/generation none\n", newSystem, true, ConfirmOptions{}, Activated, "live", newSystem},
		{"only to boot", "lock/action stage\n", oldSystem, false, ConfirmOptions{}, Staged, "any", newSystem},
		{"another init", "lock/action test\nlock/status 100\n", oldSystem, false, ConfirmOptions{}, Staged, "any", newSystem},
		{"not well", "lock/restore yes\n", newSystem, false, ConfirmOptions{}, Degraded, "", ""},
		{"not well, all the same", "", newSystem, false, ConfirmOptions{SkipHealth: true}, Switched, "live", newSystem},
	} {
		f, fake := hospital(t, always(c.well))
		fake.current = c.current
		h := &waiting{fakeHost: fake, lock: c.lock}
		f.dialer = h
		r := f.Confirm(t.Context(), f.Inventory.Hosts, c.opt).Results[0]
		if r.Outcome != c.outcome {
			t.Errorf("%s: %s: %v", c.name, r.Outcome, r.Err)
		}
		var se *StepError
		switch {
		case c.live == "" && (h.commit != nil || !errors.As(r.Err, &se) || !strings.Contains(se.Hint, "`confirm a -noHealth`; else it goes back by itself")):
			t.Errorf("%s: %q, %+v", c.name, h.commit, se)
		case c.live != "" && (len(h.commit) != 7 || h.commit[1] != "flotilla-commit-abc" || h.commit[5] != c.live || h.commit[6] != string(c.active)):
			t.Errorf("%s: %q", c.name, h.commit)
		}
	}
}
