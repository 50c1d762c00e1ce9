package fleet

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nixflotilla/flotilla/internal/proc"
	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

const statusAnswer = `status/nixos 26.05.miniature
status/revision abc
status/now 1000100
status/generation-made 1000000
status/uptime 86400.52
status/store-kib 2048
status/state degraded
status/failed a.service b.service 
status/activating  
status/inhibitors {"x":"1"} 
status/lock 
flotilla-survey 1
current /nix/store/11111111111111111111111111111111-nixos-system-a
profile /nix/store/11111111111111111111111111111111-nixos-system-a
generation system-42-link
nix nix (Nix) 2.26.3
nix-daemon /bin/nix-daemon
systemd yes
root yes
free-kib 1024
end ok
`

func TestParseStatus(t *testing.T) {
	s, err := parseStatus(statusAnswer)
	if err != nil {
		t.Fatal(err)
	}
	if s.NixOS != "26.05.miniature" || s.Revision != "abc" || s.GenerationMade != 100*time.Second || s.Uptime != 86400520*time.Millisecond ||
		s.StoreBytes != 2<<20 || s.State != "degraded" || !slices.Equal(s.FailedUnits, []string{"a.service", "b.service"}) ||
		s.Activating != nil || s.Busy() != "" || s.Inhibitors != `{"x":"1"}` || s.GenerationNumber() != 42 || s.FreeBytes != 1<<20 {
		t.Errorf("%+v", s)
	}
	for old, busy := range map[string]string{
		"status/lock ":        "status/lock held",
		"status/activating  ": "status/activating flotilla-activate-x.service ",
	} {
		if s, err := parseStatus(strings.Replace(statusAnswer, old, busy, 1)); err != nil || s.Busy() == "" {
			t.Errorf("%s: not busy: %v", busy, err)
		}
	}
	if _, err := parseStatus(strings.TrimSuffix(statusAnswer, "end ok\n")); !errors.Is(err, errCutShort) {
		t.Errorf("cut short: %v", err)
	}
}

// Whatever a host says, no number is negative and nothing overflows.
func TestParseStatusOfHostileHosts(t *testing.T) {
	lines := strings.SplitAfter(statusAnswer, "\n")
	rapid.Check(t, func(t *rapid.T) {
		text := ""
		for _, l := range lines {
			key, _, _ := strings.Cut(l, " ")
			if strings.HasPrefix(key, "status/") {
				l = key + " " + rapid.OneOf(rapid.StringMatching(`-?[0-9]{1,30}(e[0-9]{1,4})?`), rapid.StringMatching(`[^\n]{0,20}`), rapid.Just("NaN"), rapid.Just("Inf")).Draw(t, key) + "\n"
			}
			text += l
		}
		s, err := parseStatus(text)
		if err != nil {
			t.Fatal(err)
		}
		if s.GenerationMade < 0 || s.Uptime < 0 || s.StoreBytes < 0 || s.GenerationNumber() < 0 {
			t.Fatalf("%+v", s)
		}
	})
}

func TestGenerationNumber(t *testing.T) {
	for text, want := range map[string]int{"system-7-link": 7, "": 0, "system--1-link": 0, "x-7-link": 0, "system-7": 0, "system-99999999999999999999-link": 0} {
		if got := (Survey{Generation: text}).GenerationNumber(); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

// A host that only has to be booted to run what is wanted is told so, once.
func TestAttentionOfStagedHosts(t *testing.T) {
	const booted = "wanted is 1111111-new, which it boots: `reboot a`"
	for _, c := range []struct {
		s     HostStatus
		host  Host
		notes []string
	}{
		{s: HostStatus{Survey: Survey{Current: oldSystem, Profile: newSystem}}, notes: []string{booted}},
		// A boot leads to none of these.
		{s: HostStatus{Survey: Survey{Current: oldSystem, Profile: oldSystem}}, notes: []string{"wanted is 1111111-new"}},
		{s: HostStatus{Survey: Survey{Current: newSystem, Profile: oldSystem}}, notes: []string{"boots 0000000-old"}},
		{s: HostStatus{Survey: Survey{Current: oldSystem, Profile: newSystem, Uncommitted: true}},
			notes: []string{"what it boots is not known: a commit was cut short; its profile is 1111111-new", "wanted is 1111111-new"}},
		{s: HostStatus{Survey: Survey{Current: oldSystem, Profile: newSystem, Uncommitted: true, Deployment: &HostDeployment{State: DeploymentRuns}}, Activating: []string{"flotilla-commit-x.service"}},
			notes: []string{"a deployment is under way: flotilla-commit-x.service", "what it boots is not known: a commit is at work", "wanted is 1111111-new"}},
		{s: HostStatus{Survey: Survey{Current: newSystem, Profile: newSystem, Deployment: &HostDeployment{State: DeploymentRuns, By: "root@control (pid 1)"}}, Activating: []string{"flotilla-activate-x.service"}},
			notes: []string{"a deployment is under way, by root@control (pid 1): flotilla-activate-x.service"}},
		{s: HostStatus{Survey: Survey{Current: oldSystem, Profile: newSystem}}, host: Host{Specialisation: "x"},
			notes: []string{"wanted is specialisation x of 1111111-new", "boots 1111111-new"}},
	} {
		c.s.FreeBytes, c.s.Nix, c.s.NixDaemon, c.s.Systemd, c.s.Root = -1, "/bin/nix", "/bin/nix-daemon", true, RootAlready
		c.host.Name = "a"
		if notes := (Result{Host: c.host, Status: &c.s, Wanted: newSystem}).Attention(); !slices.Equal(notes, c.notes) {
			t.Errorf("%+v: %q", c.s.Survey, notes)
		}
	}
}

func TestStanding(t *testing.T) {
	const a, b = nixcmd.StorePath("/nix/store/11111111111111111111111111111111-a"), nixcmd.StorePath("/nix/store/22222222222222222222222222222222-b")
	runs := func(current, profile nixcmd.StorePath) *HostStatus {
		return &HostStatus{Survey: Survey{Current: current, Profile: profile}}
	}
	for _, c := range []struct {
		r    Result
		want Standing
	}{
		{Result{Status: runs(a, a), Wanted: a}, StandingCurrent},
		{Result{Status: runs(a, b), Wanted: a}, StandingDiffers},
		{Result{Status: runs(b, b), Wanted: a}, StandingDiffers},
		{Result{Status: &HostStatus{Survey: Survey{Current: a, Profile: a, Uncommitted: true}}, Wanted: a}, StandingDiffers},
		{Result{Status: runs(a, a)}, StandingUnknown},
		{Result{Status: runs(a, a), Outcome: Failed, Err: &StepError{Step: StepEvaluate, Err: errors.New("x")}}, StandingNoEvaluation},
		{Result{Outcome: Unreachable, Err: errors.New("x")}, StandingUnreachable},
		{Result{Outcome: Failed, Err: errors.New("x")}, StandingFailed},
		{Result{Outcome: Cancelled, Err: errors.New("x")}, StandingCancelled},
	} {
		if got := c.r.Standing(); got != c.want {
			t.Errorf("%+v: %s, want %s", c.r, got, c.want)
		}
	}
}

// here runs scripts on this machine, as a host would.
type here struct{}

func (here) NixSSHOpts() string { return "" }
func (h here) Fresh(ctx context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
	return h.Run(ctx, cmd)
}
func (here) Run(ctx context.Context, c sshpool.Cmd) (sshpool.Result, error) {
	argv := c.Argv
	if c.Script != "" {
		argv = append([]string{"/bin/sh", "-s", "--"}, c.Argv...)
		c.Stdin = strings.NewReader("{ :; " + c.Script + "\n}\n")
	}
	res, err := proc.Run(ctx, proc.Cmd{Argv: argv, Stdin: c.Stdin, Stdout: c.Stdout, Stderr: c.Stderr})
	var pe *proc.Error
	if errors.As(err, &pe) && pe.Err == nil {
		err = &sshpool.ExitError{Argv: argv, Code: res.Code}
	}
	return sshpool.Result{Stdout: res.Stdout, Stderr: res.Stderr}, err
}

// The two scripts are one session's, and the survey is what it is alone.
func TestStatusScript(t *testing.T) {
	if _, err := os.Stat("/proc/sys/kernel/random/boot_id"); err != nil {
		t.Skip("needs /proc")
	}
	s, err := askStatus(t.Context(), here{}, BecomeAuto)
	if err != nil {
		t.Fatal(err)
	}
	alone, err := survey(t.Context(), here{}, BecomeAuto)
	if err != nil {
		t.Fatal(err)
	}
	if s.BootID != alone.BootID || s.BootID == "" || s.Root != alone.Root || s.NixDaemon != alone.NixDaemon || s.Uptime <= 0 {
		t.Errorf("%+v\n%+v", s, alone)
	}
}

// The lock is seen by whoever may not take it, and is not taken: this reads the
// script's own lines with another file.
func TestStatusScriptSeesTheLock(t *testing.T) {
	if _, err := os.Stat("/usr/bin/flock"); err != nil {
		t.Skip("needs flock(1)")
	}
	lock := filepath.Join(t.TempDir(), "lock")
	script := strings.ReplaceAll(statusScript, "/run/nixos/switch-to-configuration.lock", lock)
	look := func(before string) string {
		t.Helper()
		res, err := here{}.Run(t.Context(), sshpool.Cmd{Script: before + script})
		if err != nil {
			t.Fatal(err)
		}
		_, after, found := strings.Cut(string(res.Stdout), "status/lock ")
		if !found {
			t.Fatalf("no word on the lock: %s", res.Stdout)
		}
		return strings.TrimSpace(after)
	}
	if err := os.WriteFile(lock, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := look(""); got != "" {
		t.Errorf("free: %q", got)
	}
	if got := look("exec 9<" + lock + "; flock -n 9 || exit 1; "); got != "held" {
		t.Errorf("held: %q", got)
	}
}
