package ui

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/history"
)

func aRun() history.Run {
	s := func(step fleet.Step, began, took float64) fleet.StepTime {
		return fleet.StepTime{Step: step, Began: time.Duration(began * float64(time.Second)), Duration: time.Duration(took * float64(time.Second))}
	}
	return history.Run{
		ID: 12, Target: "deployAllParallel", Command: "deployAllParallel -yes", Started: time.Date(2026, 11, 25, 1, 2, 3, 0, time.Local),
		Over: true, Duration: 41200 * time.Millisecond, ExitCode: fleet.ExitRolledBack, User: "olaf", Machine: "control",
		Revision: "ca393ec0000000000000000000000000000000ff", Dirty: true,
		Hosts: []history.Host{
			{Name: "p620", Outcome: fleet.Switched, Reason: "it runs another system", Duration: 31 * time.Second,
				Live: "/nix/store/4pi9r2wv3j0ys4xj5b3d1q7z9k0m2n4p-nixos-system-p620-26.05", Wanted: "/nix/store/8wq2m1zs6h3kx9c5v7b4n0d8f2g6j1l3-nixos-system-p620-26.05",
				Build: fleet.BuildWork{Derivations: 14, Paths: 3, Bytes: 120 << 20}, Evaluation: fleet.Verdict{Reason: "modules/base/motd.nix changed"},
				Steps: []fleet.StepTime{s("survey", 0, .4), s("evaluate", 0, 5.1), s("build", 5.2, 9), s("copy", 14.3, 6.5), s("activate", 21, 5), s("health", 26, 4), s("commit", 30, 1)},
				Detail: history.Detail{Health: []history.Check{{Name: "web", OK: true, Answer: "200 OK", Duration: time.Second}}, RebootFor: []string{"kernel", "initrd"}, Changes: &history.Changes{
					Packages: []history.Package{
						{Name: "etc", Old: []string{""}, New: []string{""}, OldSize: 1 << 20, NewSize: 1 << 20},
						{Name: "firefox", Old: []string{"144.0"}, New: []string{"145.0.1"}, OldSize: 250 << 20, NewSize: 262 << 20},
						{Name: "linux", Old: []string{"6.12.57"}, New: []string{"6.12.58"}, OldSize: 140 << 20, NewSize: 141 << 20},
						{Name: "ripgrep", New: []string{"15.1.0"}, NewSize: 5 << 20},
						{Name: "telnet<b>", Old: []string{"1.0"}, OldSize: 1 << 20},
					},
					OldSize: 4 << 30, NewSize: 4<<30 + 17<<20, Restart: []string{"nginx.service", "sshd.service"}, Start: []string{"rg.timer"}, Keep: []string{"dbus.service"},
				}}},
			{Name: "razer", Outcome: fleet.Unchanged, Reason: "it runs and boots what is wanted", Duration: 500 * time.Millisecond,
				Evaluation: fleet.Verdict{Avoided: true, Reason: "nothing it reads changed since 22:11"}, Steps: []fleet.StepTime{s("survey", 0, .45), s("evaluate", 0, .01)}},
			{Name: "p510", Outcome: fleet.RolledBack, Step: "health", Error: "1 of 2 health checks failed", Duration: 41 * time.Second,
				Steps: []fleet.StepTime{s("survey", 0, .4), s("evaluate", 5, 5.4), s("build", 10.5, 2), s("copy", 13, 3), s("wait", 16, 6), s("activate", 22, 4), s("health", 26, 11), s("restore", 37, 4)},
				Detail: history.Detail{Lines: []string{"jellyfin: connection refused", "<script>alert(1)</script>"}, Hint: "look at it: ssh p510 journalctl -u jellyfin",
					Health: []history.Check{{Name: "jellyfin", Answer: "connection refused", Duration: 10 * time.Second}, {Name: "disk", FailedBefore: true, Answer: "91 %", Duration: time.Second}}}},
			{Name: "dex5550", Outcome: fleet.Unreachable, Step: "survey", Error: "no route to host", Duration: 10 * time.Second, Steps: []fleet.StepTime{s("survey", 0, 10)}},
		},
	}
}

// FLOTILLA_TEST_PAGE keeps the page, to be looked at in a browser.
func TestRunPage(t *testing.T) {
	var b bytes.Buffer
	if err := RunPage(&b, aRun()); err != nil {
		t.Fatal(err)
	}
	if file := os.Getenv("FLOTILLA_TEST_PAGE"); file != "" {
		if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := b.String()
	for _, want := range []string{
		"<title>Run 12: deployAllParallel</title>", "1 rolled-back", "olaf@control", "ca393ec0000000000000000000000000000000ff, with changes",
		`<div class="bar activate" style="left: 50.971%; width: 12.136%" title="activate: 5.0 s, from 21.0 s">`, "health: 1 of 2 health checks failed",
		"&lt;script&gt;alert(1)", "Not evaluated", "14 derivations built, 3 paths downloaded (120.0 MiB)", "kernel, initrd", "failed before too",
		`<td>firefox</td><td>144.0 → 145.0.1</td><td class="n">&#43;12.0 MiB</td>`, "telnet&lt;b&gt;", "Only rebuilt: 1", "1 added, 1 removed, 2 changed, 1 rebuilt; closure 4.0 GiB (&#43;17.0 MiB)",
		"<dt>Units restarted</dt><dd>nginx.service, sshd.service</dd>", "<dt>Units changed, but kept running</dt>",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q", want)
		}
	}
	// It is all there is: nothing is loaded, nothing runs, and nothing was refused
	// by the template's escaping.
	for _, never := range []string{"<script", "http:", "https:", "src=", "url(", "@import", "ZgotmplZ"} {
		if strings.Contains(text, never) {
			t.Errorf("has %q", never)
		}
	}
	// Every step has a colour, in both schemes.
	for _, s := range []fleet.Step{
		fleet.StepSurvey, fleet.StepEvaluate, fleet.StepBuild, fleet.StepCopy, fleet.StepWait, fleet.StepActivate, fleet.StepHealth,
		fleet.StepCommit, fleet.StepRestore, fleet.StepReboot, fleet.StepCompare, fleet.StepExec,
	} {
		if n := strings.Count(runPage, "--"+string(s)+":"); n != 2 {
			t.Errorf("%s has %d colours", s, n)
		}
	}
}

// Whatever a run's texts are, they stay texts.
func TestRunPageEscapes(t *testing.T) {
	tag := regexp.MustCompile(`<[a-z]+ ([^>]* )?on[a-z]+=|<img|<svg|javascript:`)
	rapid.Check(t, func(t *rapid.T) {
		hostile := rapid.SampledFrom([]string{`"><img src=x onerror=alert(1)>`, "</style><svg onload=a>", "javascript:alert(1)", "\x1b[31m\x00\u202e", "{{.}}", "x;}body{display:none}"})
		r := history.Run{ID: 1, Target: hostile.Draw(t, "target"), Command: hostile.Draw(t, "command"), User: hostile.Draw(t, "user"), Over: true, Duration: time.Second,
			Hosts: []history.Host{{Name: hostile.Draw(t, "name"), Outcome: fleet.Failed, Reason: hostile.Draw(t, "reason"), Error: hostile.Draw(t, "error"), Live: hostile.Draw(t, "live"),
				Detail: history.Detail{Lines: []string{hostile.Draw(t, "line")}, Health: []history.Check{{Name: hostile.Draw(t, "check"), Answer: hostile.Draw(t, "answer")}},
					Changes: &history.Changes{Unknown: hostile.Draw(t, "unknown"), Start: []string{hostile.Draw(t, "unit")}, Packages: []history.Package{
						{Name: hostile.Draw(t, "package"), New: []string{hostile.Draw(t, "version")}}, {Name: hostile.Draw(t, "rebuilt"), Old: []string{"1"}, New: []string{"1"}}}}}}}}
		var b bytes.Buffer
		if err := RunPage(&b, r); err != nil {
			t.Fatal(err)
		}
		if found := tag.FindString(strings.ReplaceAll(b.String(), "javascript:alert(1)", "")); found != "" || strings.ContainsAny(b.String(), "\x1b\x00\u202e") {
			t.Fatalf("%q in\n%s", found, b.String())
		}
	})
}

// The marks of the axis are few, round, and within the run.
func TestTicks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole := time.Duration(rapid.Int64Range(int64(time.Microsecond), int64(100*time.Hour)).Draw(t, "whole"))
		all := slices.Collect(ticks(whole))
		if len(all) < 4 && whole > time.Millisecond || len(all) > 11 || all[0] != 0 || all[len(all)-1] > whole {
			t.Fatalf("%v: %v", whole, all)
		}
		if len(all) > 1 {
			if gap := all[1].Seconds(); math.Abs(all[len(all)-1].Seconds()-gap*float64(len(all)-1)) > 1e-6 {
				t.Fatalf("%v: %v", whole, all)
			}
		}
	})
	if all := slices.Collect(ticks(0)); all != nil {
		t.Errorf("%v", all)
	}
	if runs := newPage(history.Run{Over: true, Hosts: []history.Host{{Steps: []fleet.StepTime{{}}}}}); len(runs.Hosts[0].Bars) != 1 {
		t.Error("a run that took no time")
	}
}

func TestRunPageWithoutHosts(t *testing.T) {
	var b bytes.Buffer
	if err := RunPage(&b, history.Run{ID: 3}); err != nil || !strings.Contains(b.String(), "not ended") || !strings.Contains(b.String(), "Nothing is known of its hosts") {
		t.Errorf("%v\n%s", err, b.String())
	}
	if err := RunPage(&failingWriter{}, aRun()); err == nil {
		t.Error("no error of the writer")
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, filepath.ErrBadPattern }
