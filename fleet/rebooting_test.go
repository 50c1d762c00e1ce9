package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

// rebooter is a host that reboots when it is told to.
type rebooter struct {
	mu      sync.Mutex
	profile nixcmd.StorePath
	// boots is what it will run instead of its profile, if that is not "".
	boots nixcmd.StorePath
	// down is how long it is gone, never that it stays so; stays is that it does not
	// go.
	down  time.Duration
	never bool
	stays bool
	// locked is what it says instead of rebooting, if it is not "".
	locked string
	// well says whether its check passes in the boot of that number.
	well func(boot int) bool

	current nixcmd.StorePath
	told    []time.Time
	boot    int
}

func (h *rebooter) up() bool {
	if len(h.told) == 0 || h.stays {
		return true
	}
	if h.never || time.Since(h.told[len(h.told)-1]) < h.down {
		return false
	}
	if h.boot < len(h.told) {
		h.boot, h.current = len(h.told), or(h.boots, h.profile)
	}
	return true
}

func (h *rebooter) Connect(context.Context, Host) (Remote, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.up() {
		return nil, &sshpool.Error{Kind: sshpool.KindUnreachable, NotStarted: true, Err: errors.New("connection refused")}
	}
	return h, nil
}
func (h *rebooter) NixSSHOpts() string { return "" }
func (h *rebooter) Fresh(ctx context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
	return h.Run(ctx, cmd)
}

func (h *rebooter) Run(_ context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.up() {
		return sshpool.Result{}, &sshpool.Error{Kind: sshpool.KindLost, Err: errors.New("lost")}
	}
	var text string
	switch cmd.Script {
	case surveyScript:
		text = fmt.Sprintf("flotilla-survey 1\ncurrent %s\nbooted %s\nprofile %s\nboot-id boot%d\nsystemd yes\nroot yes\nend ok\n", h.current, h.current, h.profile, h.boot)
	case healthScript:
		text = "check-1 failed exit code 1\nend ok\n"
		if h.well(h.boot) {
			text = "check-1 ok\nend ok\n"
		}
	case rebootScript:
		if cmd.Argv[1] != fmt.Sprintf("boot%d", h.boot) || !strings.HasPrefix(cmd.Argv[0], "flotilla-reboot-") {
			return sshpool.Result{}, fmt.Errorf("told %q", cmd.Argv)
		}
		if h.locked != "" {
			text = h.locked
			break
		}
		h.told = append(h.told, time.Now())
		// The connection goes with the host.
		return sshpool.Result{}, &sshpool.Error{Kind: sshpool.KindLost, Err: errors.New("lost")}
	}
	for line := range strings.Lines(text) {
		if cmd.Stdout != nil {
			cmd.Stdout(strings.TrimSuffix(line, "\n"))
		}
	}
	return sshpool.Result{Stdout: []byte(text)}, nil
}

func rebooting(t *testing.T, h *rebooter) *Fleet {
	h.current, h.profile = or(h.current, oldSystem), or(h.profile, oldSystem)
	f := &Fleet{Inventory: &Inventory{Dir: "/f", Hosts: []Host{{Name: "a", Attr: "a", Address: "a"}}},
		dialer: h, stages: newStages(Limits{}), stateDir: t.TempDir(), patience: time.Minute}
	if h.well != nil {
		f.Inventory.Health = Health{Checks: []HealthCheck{{Name: "web", Command: []string{"x"}}}}
	}
	return f
}

func TestRebootOutcomes(t *testing.T) {
	for name, c := range map[string]struct {
		host    *rebooter
		opt     RebootOptions
		want    Outcome
		says    string
		told    int
		seconds int // at most
	}{
		"comes back":                      {host: &rebooter{down: 30 * time.Second}, want: Rebooted, told: 1, seconds: 32},
		"back into what was staged":       {host: &rebooter{down: time.Second, profile: newSystem}, opt: RebootOptions{IfNeeded: true}, want: Rebooted, told: 1, seconds: 3},
		"waits for no reboot":             {opt: RebootOptions{IfNeeded: true}, want: Unchanged},
		"never comes back":                {host: &rebooter{never: true}, want: Unreachable, says: "did not come back within 5m0s", told: 1, seconds: 301},
		"does not go down":                {host: &rebooter{stays: true}, want: Failed, says: "did not go down within 5m0s", told: 1, seconds: 301},
		"comes back on another system":    {host: &rebooter{down: time.Second, boots: newSystem}, want: Failed, says: "came back on", told: 1, seconds: 3},
		"is being deployed to":            {host: &rebooter{locked: "flotilla-reboot 1\nlock/by me@here (pid 1)\nlock/since 1795560382\nend locked\n"}, want: Locked, says: "the host is locked by me@here (pid 1), whose deployment began at "},
		"waits to be confirmed":           {host: &rebooter{locked: "flotilla-reboot 1\nlock/by me@here (pid 1)\nlock/since 1795560382\nlock/waits yes\nend locked\n"}, want: Locked, says: "reboot: the host is locked by me@here"},
		"is not healthy":                  {host: &rebooter{down: time.Second, well: func(boot int) bool { return boot == 0 }}, want: Degraded, says: "1 of 1 check failed: web", told: 1, seconds: 130},
		"was not healthy before":          {host: &rebooter{down: time.Second, well: func(int) bool { return false }}, want: Rebooted, told: 1, seconds: 130},
		"its health is not to be checked": {host: &rebooter{down: time.Second, well: func(boot int) bool { return boot == 0 }}, opt: RebootOptions{SkipHealth: true}, want: Rebooted, told: 1, seconds: 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := or(c.host, &rebooter{})
				f := rebooting(t, h)
				r := f.Reboot(t.Context(), f.Inventory.Hosts, c.opt).Results[0]
				if r.Outcome != c.want || (r.Err == nil) != c.want.OK() || r.Err != nil && !strings.Contains(r.Err.Error(), c.says) {
					t.Errorf("%s: %v, want %s", r.Outcome, r.Err, c.want)
				}
				if len(h.told) != c.told || r.Duration > time.Duration(c.seconds)*time.Second {
					t.Errorf("told %d times, %s", len(h.told), r.Duration)
				}
			})
		})
	}
}

// After the first Ctrl-C a host that reboots is waited for, after the second not;
// one that was not told to reboot is not told any more.
func TestRebootInterrupted(t *testing.T) {
	for name, c := range map[string]struct {
		cancelAt, abandonAt time.Duration
		want                Outcome
		told                int
	}{
		"before":            {cancelAt: 0, want: Cancelled},
		"once":              {cancelAt: 10 * time.Second, want: Rebooted, told: 1},
		"twice":             {cancelAt: 10 * time.Second, abandonAt: 11 * time.Second, want: Cancelled, told: 1},
		"after it was back": {cancelAt: time.Minute, abandonAt: time.Minute, want: Rebooted, told: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &rebooter{down: 30 * time.Second}
				f := rebooting(t, h)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				abandon := make(chan struct{})
				if c.cancelAt == 0 {
					cancel()
				}
				time.AfterFunc(c.cancelAt, cancel)
				if c.abandonAt > 0 {
					time.AfterFunc(c.abandonAt, func() { close(abandon) })
				}
				r := f.Reboot(ctx, f.Inventory.Hosts, RebootOptions{Abandon: abandon}).Results[0]
				if r.Outcome != c.want || len(h.told) != c.told {
					t.Errorf("%s: %v; told %d times", r.Outcome, r.Err, len(h.told))
				}
				var se *StepError
				if told := c.want == Cancelled && c.told > 0; told && (!errors.As(r.Err, &se) || !strings.Contains(se.Hint, "told to reboot")) {
					t.Errorf("%v", r.Err)
				}
				time.Sleep(2 * time.Minute) // the timers' goroutines
			})
		})
	}
}
