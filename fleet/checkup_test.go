package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

// fakeNix wants newSystem, whatever it is asked.
type fakeNix struct{ Nix }

func (fakeNix) Evaluate(context.Context, nixcmd.Installable, nixcmd.EvaluateOptions) (nixcmd.Evaluation, error) {
	return nixcmd.Evaluation{Derivation: "/nix/store/22222222222222222222222222222222-x.drv", Toplevel: newSystem}, nil
}

func (fakeNix) Build(context.Context, []nixcmd.StorePath, nixcmd.BuildOptions) ([]nixcmd.StorePath, error) {
	return []nixcmd.StorePath{newSystem}, nil
}

func (fakeNix) BackgroundClosure(context.Context, nixcmd.StorePath) ([]nixcmd.PathInfo, error) {
	return nil, errors.New("not known")
}

func (fakeNix) Copy(context.Context, []nixcmd.StorePath, nixcmd.CopyOptions) error { return nil }

// fakeHost answers the remote scripts. It is healthy as long as well says so of the
// system it runs.
type fakeHost struct {
	mu               sync.Mutex
	current, profile nixcmd.StorePath
	well             func(nixcmd.StorePath) bool
	// prints is what its activations print.
	prints []string
	// asked are the scripts that were run: survey, health, and the modes of unit.sh.
	asked []string
}

func (h *fakeHost) Connect(context.Context, Host) (Remote, error) { return h, nil }
func (h *fakeHost) NixSSHOpts() string                            { return "" }
func (h *fakeHost) Fresh(ctx context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
	return h.Run(ctx, cmd)
}

func (h *fakeHost) Run(ctx context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
	if cmd.Hold != nil {
		select {
		case <-cmd.Hold:
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return sshpool.Result{}, &sshpool.Error{Kind: sshpool.KindCancelled, Err: context.Cause(ctx)}
	}
	cmd = sent(cmd)
	h.mu.Lock()
	defer h.mu.Unlock()
	var text, logged string
	switch cmd.Script {
	case "":
		h.asked = append(h.asked, cmd.Argv[0])
	case surveyScript:
		h.asked = append(h.asked, "survey")
		text = fmt.Sprintf("flotilla-survey 1\ncurrent %s\nprofile %s\nboot-id b\nsystemd yes\nnix nix (Nix) 2.26.3\nnix-daemon /bin/nix-daemon\nroot yes\nend ok\n", h.current, h.profile)
	case healthScript:
		h.asked = append(h.asked, "health")
		word := "failed"
		if h.well(h.current) {
			word = "ok"
		}
		text = "check-1 " + word + " exit code\nend ok\n"
	case terse(unitScript), activateScript():
		h.asked = append(h.asked, cmd.Argv[0])
		switch cmd.Argv[0] {
		case "activate":
			if cmd.Argv[5] != "stage" {
				h.current = nixcmd.StorePath(cmd.Argv[6])
			}
			for _, line := range h.prints {
				logged += "log " + line + "\n"
			}
		case "restore":
			h.current = oldSystem
		case "commit":
			h.profile = nixcmd.StorePath(cmd.Argv[4])
		}
		text = fmt.Sprintf("flotilla-unit 1\nresult success\ncode 1\nstatus 0\ncurrent %s\nprofile %s\nended restored 0\nend ok\n", h.current, h.profile)
	}
	for line := range strings.Lines(logged + text) {
		if cmd.Stdout != nil {
			cmd.Stdout(strings.TrimSuffix(line, "\n"))
		}
	}
	return sshpool.Result{Stdout: []byte(text)}, nil
}

// hospital is a fleet of one host, on the old system, with one check on the host.
func hospital(t *testing.T, well func(nixcmd.StorePath) bool) (*Fleet, *fakeHost) {
	h := &fakeHost{current: oldSystem, profile: oldSystem, well: well}
	return &Fleet{
		Inventory: &Inventory{Dir: "/f", Hosts: []Host{{Name: "a", Attr: "a", Address: "a"}},
			Health: Health{Deadline: time.Minute, Checks: []HealthCheck{{Name: "web", Command: []string{"x"}}}}},
		nix: fakeNix{}, dialer: h, stages: newStages(Limits{}), stateDir: t.TempDir(), patience: time.Minute,
	}, h
}

func always(yes bool) func(nixcmd.StorePath) bool { return func(nixcmd.StorePath) bool { return yes } }

func (h *fakeHost) said() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer func() { h.asked = nil }()
	return strings.Join(slices.Compact(h.asked), " ")
}

func deployOne(t *testing.T, f *Fleet, opt DeployOptions) Result {
	t.Helper()
	return f.Deploy(t.Context(), f.Inventory.Hosts, opt).Results[0]
}

// A system that is healthy is committed; without checks, or if they are left out,
// the host is asked nothing about its health.
func TestHealthyIsCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, h := hospital(t, always(true))
		r := deployOne(t, f, DeployOptions{})
		if r.Outcome != Switched || h.profile != newSystem || len(r.Health) != 1 || !r.Health[0].OK || r.Health[0].Tries != 2 {
			t.Errorf("%+v", r)
		}
		if got := h.said(); got != "survey health activate health commit" && got != "survey activate health commit" {
			t.Errorf("asked %s", got)
		}
		h.current, h.profile = oldSystem, oldSystem
		if r := deployOne(t, f, DeployOptions{SkipHealth: true}); r.Outcome != Switched || h.said() != "survey activate commit" || r.Health != nil {
			t.Errorf("%+v", r)
		}
		h.current, h.profile = oldSystem, oldSystem
		f.Inventory.Health.Checks[0].On = "b"
		if r := deployOne(t, f, DeployOptions{}); r.Outcome != Switched || h.said() != "survey activate commit" {
			t.Errorf("%+v", r)
		}
		if r := deployOne(t, f, DeployOptions{}); r.Outcome != Unchanged || h.said() != "survey" {
			t.Errorf("%+v", r)
		}
	})
}

// A system that is not healthy by the deadline is rolled back, at the second try too;
// without a rollback it is degraded, and not committed.
func TestUnhealthyIsNotCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, h := hospital(t, func(p nixcmd.StorePath) bool { return p != newSystem })
		for range 2 {
			r := deployOne(t, f, DeployOptions{})
			var se *StepError
			if r.Outcome != RolledBack || !errors.As(r.Err, &se) || se.Step != StepHealth || se.Brief != "1 of 1 check failed: web" ||
				!strings.Contains(se.Hint, "it runs and boots 0000000-old, as before") || len(se.Details) != 1 || r.Duration < time.Minute {
				t.Errorf("%+v: %+v", r, se)
			}
			if h.current != oldSystem || h.profile != oldSystem || r.Health[0].OK || r.Health[0].FailedBefore {
				t.Errorf("%+v, runs %s, boots %s", r.Health, h.current, h.profile)
			}
			if got := h.said(); !strings.HasSuffix(got, "activate health restore") {
				t.Errorf("asked %s", got)
			}
		}
		r := deployOne(t, f, DeployOptions{NoRollback: true})
		var se *StepError
		if r.Outcome != Degraded || h.current != newSystem || h.profile != oldSystem || !errors.As(r.Err, &se) || !strings.Contains(se.Hint, "it would boot 0000000-old") {
			t.Errorf("%+v, runs %s, boots %s", r, h.current, h.profile)
		}
		if got := h.said(); !strings.HasSuffix(got, "activate health clean") {
			t.Errorf("asked %s", got)
		}
	})
}

// What failed on the old, confirmed system is not held against the new one, nor
// waited for to the deadline.
func TestFailedBeforeIsExcused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, h := hospital(t, always(false))
		var warned string
		f.sink = SinkFunc(func(e Event) {
			if e.Kind == KindWarning {
				warned = e.Text
			}
		})
		r := deployOne(t, f, DeployOptions{})
		if r.Outcome != Switched || h.profile != newSystem || r.Health[0].OK || !r.Health[0].FailedBefore || r.Duration > excusedGrace+time.Second {
			t.Errorf("%+v", r)
		}
		if warned != "web fails, as it did before the deployment: exit code" {
			t.Errorf("warned %q", warned)
		}
	})
}

// The first interrupt lets the checks come to their end; the second does not wait,
// and says what the host boots.
func TestInterruptedCheckup(t *testing.T) {
	for _, abandoned := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			f, h := hospital(t, func(p nixcmd.StorePath) bool { return p == oldSystem || time.Since(began) > 20*time.Second })
			ctx, cancel := context.WithCancelCause(t.Context())
			abandon := make(chan struct{})
			go func() {
				time.Sleep(5 * time.Second)
				cancel(errors.New("interrupted"))
				time.Sleep(5 * time.Second)
				if abandoned {
					close(abandon)
				}
			}()
			report := f.Deploy(ctx, f.Inventory.Hosts, DeployOptions{Abandon: abandon})
			r := report.Results[0]
			if !report.Cancelled || report.ExitCode() != ExitCancelled {
				t.Errorf("%+v", report)
			}
			var se *StepError
			switch {
			case !abandoned && (r.Outcome != Switched || h.profile != newSystem):
				t.Errorf("not brought to its end: %+v", r)
			case abandoned && (r.Outcome != Cancelled || h.profile != oldSystem || !errors.Is(r.Err, ErrAbandoned)):
				t.Errorf("not abandoned: %+v", r)
			case abandoned && (!errors.As(r.Err, &se) || !strings.Contains(se.Hint, "not confirmed; unless `confirm a` is run within 2m30s of its activation, the host goes back to 0000000-old by itself")):
				t.Errorf("%+v", se)
			}
		})
	}
}

// A check that a Go program got wrong leaves the host untouched.
func TestWrongCheckFromGo(t *testing.T) {
	f, h := hospital(t, always(true))
	f.Inventory.Health.Checks[0].TCP = 80
	if r := deployOne(t, f, DeployOptions{}); r.Outcome != Failed || h.said() != "survey" || !strings.Contains(r.Err.Error(), `health check "web": it checks several things`) {
		t.Errorf("%+v", r)
	}
}

// Health alone asks once and changes nothing; with Wait it goes on.
func TestHealthAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, h := hospital(t, always(true))
		one := func(opt HealthOptions) Result { return f.Health(t.Context(), f.Inventory.Hosts, opt).Results[0] }
		if r := one(HealthOptions{}); r.Outcome != Reached || r.Reason != "1 check passed" || h.said() != "true health" {
			t.Errorf("%+v", r)
		}
		h.well = always(false)
		if r := one(HealthOptions{}); r.Outcome != Degraded || h.said() != "true health" || r.Health[0].Tries != 1 || r.Duration > time.Second {
			t.Errorf("%+v", r)
		}
		if r := one(HealthOptions{Wait: true}); r.Outcome != Degraded || r.Duration != time.Minute {
			t.Errorf("%+v", r)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() { time.Sleep(5 * time.Second); cancel(errors.New("interrupted")) }()
		if r := f.Health(ctx, f.Inventory.Hosts, HealthOptions{Wait: true}); r.Results[0].Outcome != Cancelled || r.Duration != 5*time.Second {
			t.Errorf("%+v", r)
		}
		// A report of one host has no column for the reason: its line has to say so.
		f.Inventory.Health.Checks = nil
		var told []string
		f.sink = SinkFunc(func(e Event) {
			if e.Kind == KindDone {
				told = append(told, e.Text)
			}
		})
		if r := one(HealthOptions{}); r.Outcome != Reached || r.Reason != "answers; no health check is for it" || !slices.Equal(told, []string{r.Reason}) {
			t.Errorf("%+v, told %q", r, told)
		}
	})
}
