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

// talkative is a host whose activations say that the new system came up, and then have
// more to say for a while.
type talkative struct {
	*fakeHost
	// refuses counts down the new connections that are refused.
	refuses int
	// lost ends the activation's first session without an answer, breaks ends it with
	// another status.
	lost, breaks bool
	// did is what happened, in order.
	did []string
}

func (h *talkative) Connect(context.Context, Host) (Remote, error) { return h, nil }

func (h *talkative) note(what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.did = append(h.did, what)
}

func (h *talkative) Run(ctx context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
	if args := sent(cmd).Argv; len(args) == 0 || args[0] != "activate" {
		return h.fakeHost.Run(ctx, cmd)
	}
	cmd.Stdout("flotilla-unit 1")
	h.note("activated")
	cmd.Stdout("activated yes")
	time.Sleep(2 * time.Second)
	h.note("told")
	switch {
	case h.lost:
		h.lost = false
		return sshpool.Result{}, &sshpool.Error{Kind: sshpool.KindLost, Err: errors.New("lost")}
	case h.breaks:
		cmd.Stdout("status 1")
		cmd.Stdout("code 1")
		cmd.Stdout("end ok")
		return sshpool.Result{}, nil
	}
	return h.fakeHost.Run(ctx, cmd)
}

func (h *talkative) Fresh(ctx context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
	h.note("connected")
	if h.refuses > 0 {
		h.refuses--
		return sshpool.Result{}, &sshpool.Error{Kind: sshpool.KindUnreachable, NotStarted: true, Err: errors.New("refused")}
	}
	res, err := h.fakeHost.Run(ctx, cmd)
	h.note("committed: " + map[bool]string{true: "yes", false: "no"}[err == nil])
	return res, err
}

// The confirming connection is made while the activation's session still talks, and is
// sent nothing before that has come to its end; what becomes of it is told then.
func TestConnectionAhead(t *testing.T) {
	for name, c := range map[string]struct {
		refuses      int
		lost, breaks bool
		checks       bool
		did          string
		outcome      Outcome
		warned       string
	}{
		"well":              {did: "activated, connected, told, committed: yes", outcome: Switched},
		"refused at first":  {refuses: 1, did: "activated, connected, told, connected, committed: yes", outcome: Switched, warned: "activate took 2s; no new connection to the host can be made"},
		"session lost":      {lost: true, did: "activated, connected, told, activated, told, committed: yes", outcome: Switched, warned: "the connection dropped; what was started goes on there, attaching again; activate took 5s"},
		"ends badly":        {breaks: true, did: "activated, connected, told, committed: no", outcome: RolledBack},
		"checks come first": {checks: true, did: "activated, told, connected, committed: yes", outcome: Switched},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, h := hospital(t, always(true))
				if !c.checks {
					f.Inventory.Health = Health{}
				}
				host := &talkative{fakeHost: h, refuses: c.refuses, lost: c.lost, breaks: c.breaks}
				f.dialer = host
				var said []string
				f.sink = SinkFunc(func(e Event) {
					switch {
					case e.Kind == KindWarning:
						text, _, _ := strings.Cut(e.Text, ": ")
						said = append(said, text)
					case e.Kind == KindDone && e.Step == StepActivate:
						said = append(said, "activate took "+e.Duration.String())
					}
				})
				r := deployOne(t, f, DeployOptions{})
				if got := strings.Join(host.did, ", "); r.Outcome != c.outcome || got != c.did {
					t.Errorf("%s: %s, want %s", r.Outcome, got, c.did)
				}
				if got := strings.Join(said, "; "); c.warned != "" && got != c.warned {
					t.Errorf("told %s, want %s", got, c.warned)
				}
				if want := map[bool]string{true: string(oldSystem), false: string(newSystem)}[c.breaks]; string(h.profile) != want {
					t.Errorf("boots %s", h.profile)
				}
			})
		})
	}
}

// What is sent of the longest script fits into a first round trip.
func TestTerse(t *testing.T) {
	if got := terse("# a\nif x; then\n  # b\n  y # c\n\nfi\n"); got != "if x; then\ny # c\nfi\n" {
		t.Errorf("%q", got)
	}
	if n := len(terse(unitScript)); n > 12<<10 {
		t.Errorf("unit.sh is sent as %d bytes", n)
	}
}
