package fleet

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

const (
	oldSystem = nixcmd.StorePath("/nix/store/00000000000000000000000000000000-nixos-system-old")
	newSystem = nixcmd.StorePath("/nix/store/11111111111111111111111111111111-nixos-system-new")
	hostile   = "/nix/store/11111111111111111111111111111111-x; touch /tmp/owned"
)

func TestDecide(t *testing.T) {
	for _, c := range []struct {
		name    string
		survey  Survey
		force   bool
		deploy  bool
		because string
	}{
		{"unchanged", Survey{Current: newSystem, Profile: newSystem}, false, false, "already runs and boots 1111111-new"},
		{"forced", Survey{Current: newSystem, Profile: newSystem}, true, true, "was asked for"},
		{"changed", Survey{Current: oldSystem, Profile: oldSystem}, false, true, "runs 0000000-old, wanted is 1111111-new"},
		{"live but not boot", Survey{Current: newSystem, Profile: oldSystem}, false, true, "boots 0000000-old"},
		{"boot but not live", Survey{Current: oldSystem, Profile: newSystem}, false, true, "runs 0000000-old"},
		{"cut short", Survey{Current: newSystem, Profile: newSystem, Uncommitted: true}, false, true, "cut short"},
		{"no profile", Survey{Current: newSystem}, false, true, "no system profile"},
		{"not NixOS yet", Survey{}, false, true, "no NixOS system yet"},
	} {
		plan := Decide(c.survey, newSystem, c.force)
		if plan.Deploy != c.deploy || !strings.Contains(plan.Reason, c.because) {
			t.Errorf("%s: %+v", c.name, plan)
		}
	}
}

// A host is left alone exactly if it runs and boots what is wanted.
func TestDecideProperty(t *testing.T) {
	path := rapid.SampledFrom([]nixcmd.StorePath{"", oldSystem, newSystem})
	rapid.Check(t, func(t *rapid.T) {
		s := Survey{Current: path.Draw(t, "current"), Profile: path.Draw(t, "profile"), Booted: path.Draw(t, "booted")}
		plan := Decide(s, newSystem, false)
		if plan.Deploy != (s.Current != newSystem || s.Profile != newSystem) || plan.Reason == "" {
			t.Fatalf("%+v gives %+v", s, plan)
		}
	})
}

const goodSurvey = `flotilla-survey 1
current ` + string(newSystem) + `
booted ` + string(oldSystem) + `
profile ` + string(newSystem) + `
generation system-42-link
boot-id 0b8f
systemd yes
nix nix (Nix) 2.26.3
nix-daemon /usr/bin/nix-daemon
root yes
free-kib 2048
booted-system/kernel /nix/store/a
current-system/kernel /nix/store/b
booted-system/initrd /nix/store/a
current-system/initrd /nix/store/a
booted-system/kernel-params quiet
current-system/kernel-params quiet
end ok
`

func TestParseSurvey(t *testing.T) {
	got, err := parseSurvey(goodSurvey)
	want := Survey{Current: newSystem, Booted: oldSystem, Profile: newSystem, Generation: "system-42-link", BootID: "0b8f",
		Nix: "nix (Nix) 2.26.3", NixDaemon: "/usr/bin/nix-daemon", Systemd: true, Root: RootAlready, FreeBytes: 2 << 20, RebootPending: []string{"kernel"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
	if _, err := parseSurvey(strings.TrimSuffix(goodSurvey, "end ok\n")); !errors.Is(err, errCutShort) {
		t.Errorf("a cut answer: %v", err)
	}
	if _, err := parseSurvey("Welcome!\nend ok\n"); err == nil || !strings.Contains(err.Error(), "not a survey") {
		t.Errorf("another program's answer: %v", err)
	}
	got, err = parseSurvey("flotilla-survey 1\ncurrent " + hostile + "\nroot maybe\nend ok\n")
	if err != nil || got.Current != "" || got.Root != RootNo {
		t.Errorf("a hostile path: %+v, %v", got, err)
	}
}

func TestUnfit(t *testing.T) {
	good, err := parseSurvey(goodSurvey)
	if err != nil || good.unfit() != nil {
		t.Fatalf("%v, %v", good.unfit(), err)
	}
	for name, change := range map[string]func(*Survey){
		"no Nix":           func(s *Survey) { s.Nix = "" },
		"nix-daemon":       func(s *Survey) { s.NixDaemon = "" },
		"sudo":             func(s *Survey) { s.Root = RootNo },
		"use sudo without": func(s *Survey) { s.Root, s.become = RootNo, BecomeSudo },
		"use doas without": func(s *Survey) { s.Root, s.become = RootNo, BecomeDoas },
		"use run0 without": func(s *Survey) { s.Root, s.become = RootNo, BecomeRun0 },
		`become = "none"`:  func(s *Survey) { s.Root, s.become = RootNo, BecomeNone },
		"systemd":          func(s *Survey) { s.Systemd = false },
	} {
		s := good
		change(&s)
		if err := s.unfit(); err == nil || !strings.Contains(err.Error(), name) || err.(*unfitError).Hint() == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseSurvey(f *testing.F) {
	f.Add(goodSurvey)
	f.Add("end")
	f.Add("flotilla-survey 1\nfree-kib x\nend\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseSurvey(text)
		if err != nil {
			return
		}
		for _, p := range []nixcmd.StorePath{s.Current, s.Booted, s.Profile} {
			if _, err := nixcmd.ParseStorePath(string(p)); p != "" && err != nil {
				t.Fatalf("%q: %v", p, err)
			}
		}
	})
}

func TestParseDryActivation(t *testing.T) {
	var got UnitChanges
	for _, line := range []string{
		"would stop the following units: a.service, b.timer",
		"would NOT stop the following changed units: dbus.service",
		"would activate the configuration...",
		"would reload the following units: r.service",
		"would restart the following units: s.service,t.service",
		"would start the following units: u.service",
		"the following new units were started: n.service, n.timer",
		"would frobnicate the following units: x.service", "the following new units were frobnicated: x.service", "the following units were started: x.service",
		"units: ", "",
	} {
		got.read(line)
	}
	want := UnitChanges{Stop: []string{"a.service", "b.timer"}, Keep: []string{"dbus.service"}, Reload: []string{"r.service"},
		Restart: []string{"s.service", "t.service"}, Start: []string{"u.service", "n.service", "n.timer"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	if !(UnitChanges{}).Empty() || got.Empty() {
		t.Error("Empty is wrong")
	}
}

// A dry activation names no unit that is new; the packages do.
func TestNewUnits(t *testing.T) {
	var p PackageDiff
	for _, name := range []string{"jq", "unit-a.service", "unit-backup.timer", "unit-getty-.service", "unit-a.service-disabled", "unit-tests", "unit-", "my-unit-x.service"} {
		p.Added = append(p.Added, PackageChange{Name: name})
	}
	p.Changed = []PackageChange{{Name: "unit-changed.service"}}
	d := Difference{Packages: p}
	d.dryActivated(unitEnd{}, UnitChanges{})
	if want := []string{"a.service", "backup.timer", "getty-.service"}; !slices.Equal(d.Units.New, want) || d.Units.Empty() {
		t.Errorf("%q", d.Units.New)
	}
}

func TestJudge(t *testing.T) {
	for status, want := range map[int]Outcome{0: Switched, 4: Degraded, 11: Locked, 100: Staged, 1: Failed, 2: Failed, 101: Failed, -1: Failed} {
		got, err := judge(unitEnd{status: status}, "")
		if got != want || (err == nil) != want.OK() {
			t.Errorf("%d: %s, %v", status, got, err)
		}
	}
}

// Whoever reads of a system that refused wants to know first of all whether the host
// was touched.
func TestUntouchedHostIsToldOf(t *testing.T) {
	u := &unit{step: StepActivate, survey: Survey{Current: oldSystem, Profile: oldSystem}}
	for status, touched := range map[int]bool{1: false, 11: false, 2: true, 4: true} {
		end := unitEnd{status: status, answer: answer{values: map[string]string{}}}
		if !touched {
			end.values["untouched"] = "yes"
		}
		var failed *activationError
		if _, err := judge(end, u.now(end)); !errors.As(err, &failed) ||
			strings.Contains(failed.hint, "nothing was changed on the host: it runs and boots 0000000-old, as before") == touched ||
			strings.Contains(failed.hint, "if it lost power now, it would boot 0000000-old") != touched {
			t.Errorf("%d: %v", status, err)
		}
	}
}

func TestExitCode(t *testing.T) {
	for _, c := range []struct {
		outcomes  []Outcome
		cancelled bool
		want      int
	}{
		{[]Outcome{Unchanged, Switched, Built, SwitchedNeedsReboot, Staged}, false, ExitOK},
		{[]Outcome{Failed}, false, ExitFailed},
		{[]Outcome{Failed, Unreachable}, false, ExitFailed},
		{[]Outcome{Failed, Unchanged}, false, ExitSomeFailed},
		{[]Outcome{Degraded, Unchanged}, false, ExitSomeFailed},
		{[]Outcome{RolledBack, Failed, Unchanged}, false, ExitRolledBack},
		{[]Outcome{RolledBack}, false, ExitRolledBack},
		{[]Outcome{Cancelled, Switched}, true, ExitCancelled},
		{nil, false, ExitOK},
	} {
		r := &Report{Cancelled: c.cancelled}
		for _, o := range c.outcomes {
			r.Results = append(r.Results, Result{Outcome: o})
		}
		if got := r.ExitCode(); got != c.want {
			t.Errorf("%v: %d, want %d", c.outcomes, got, c.want)
		}
	}
}

func TestReportErrKeepsInventoryOrder(t *testing.T) {
	r := &Report{Results: []Result{{Err: errors.New("first")}, {}, {Err: errors.New("second")}}}
	text := r.Err().Error()
	if a, b := strings.Index(text, "first"), strings.Index(text, "second"); a < 0 || b < a {
		t.Errorf("%q", text)
	}
	if err := (&Report{Results: []Result{{}}}).Err(); err != nil {
		t.Errorf("no errors give %v", err)
	}
}

func TestOutcomeOfError(t *testing.T) {
	cancelled, cancel := context.WithCancelCause(context.Background())
	stop := errors.New("stop")
	cancel(stop)
	for _, c := range []struct {
		ctx  context.Context
		err  error
		want Outcome
	}{
		{context.Background(), &sshpool.Error{Kind: sshpool.KindUnreachable}, Unreachable},
		{context.Background(), &sshpool.Error{Kind: sshpool.KindLost}, Unreachable},
		{context.Background(), &sshpool.Error{Kind: sshpool.KindHostKeyChanged}, Failed},
		{context.Background(), errors.New("other"), Failed},
		{cancelled, &sshpool.Error{Kind: sshpool.KindCancelled, Err: stop}, Cancelled},
		{cancelled, errors.New("failed before the cancellation"), Failed},
	} {
		if got := outcomeOf(c.ctx, c.err); got != c.want {
			t.Errorf("%v: %s, want %s", c.err, got, c.want)
		}
	}
}
