package ui

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/nixflotilla/flotilla/fleet"
)

const (
	statusA = "/nix/store/11111111111111111111111111111111-nixos-system-p620-26.05"
	statusB = "/nix/store/22222222222222222222222222222222-nixos-system-razer-26.05"
)

func statuses() *fleet.Report {
	running := fleet.Survey{Current: statusA, Profile: statusA, Booted: statusA, Generation: "system-142-link", Nix: "nix (Nix) 2.26.3", NixDaemon: "/d",
		Systemd: true, Root: fleet.RootAlready, FreeBytes: 931 << 30}
	worried := running
	worried.Profile, worried.FreeBytes, worried.RebootPending = statusB, 100<<20, []string{"kernel"}
	return &fleet.Report{Duration: time.Second, Results: []fleet.Result{
		{Host: fleet.Host{Name: "p620"}, Outcome: fleet.Reached, Wanted: statusA,
			Status: &fleet.HostStatus{Survey: running, GenerationMade: 75 * time.Hour, Uptime: 90 * time.Minute, RoundTrip: 900 * time.Microsecond}},
		{Host: fleet.Host{Name: "razer"}, Outcome: fleet.Reached, Wanted: statusB,
			Status: &fleet.HostStatus{Survey: worried, FailedUnits: []string{"a\x1b[2J.service"}, RoundTrip: 23 * time.Millisecond, SwitchLocked: true}},
		{Host: fleet.Host{Name: "p510"}, Outcome: fleet.Failed, Err: &fleet.StepError{Host: "p510", Step: fleet.StepEvaluate, Brief: "x", Err: errors.New("x")},
			Status: &fleet.HostStatus{Survey: running}},
		{Host: fleet.Host{Name: "dex5550"}, Outcome: fleet.Unreachable, Err: &fleet.StepError{Host: "dex5550", Step: fleet.StepSurvey, Brief: "x", Err: errors.New("x")}},
	}}
}

func TestStatus(t *testing.T) {
	var b bytes.Buffer
	Status(&b, statuses())
	want := `HOST     STATE        SYSTEM    GEN    AGE     UP  FAILED      FREE  PING
p620     up to date   1111111   142    3 d    1 h       0   931 GiB  1 ms
razer    differs      1111111   142      -      -       1   100 MiB  23 ms
         ! another switch-to-configuration is running
         ! wanted is 2222222-razer-26.05
         ! boots 2222222-razer-26.05
         ! reboot pending: kernel
         ! failed: a.service
         ! only 100 MiB free for the store
p510     eval error   1111111   142      -      -       0   931 GiB  -
dex5550  unreachable  -           -      -      -       -         -  -
`
	if b.String() != want {
		t.Errorf("got\n%s", b.String())
	}
	for line := range strings.Lines(b.String()) {
		if n := utf8.RuneCountInString(line); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if got, want := Summary(statuses()), "4 hosts: 1 up to date, 1 differs, 1 eval error, 1 unreachable, 1.0 s"; got != want {
		t.Errorf("got %q", got)
	}
}

func TestStatusOfOneHost(t *testing.T) {
	r := statuses()
	r.Results = r.Results[1:2]
	var b bytes.Buffer
	Status(&b, r)
	for _, want := range []string{
		"razer: differs\n", "runs        " + string(statusA), "wanted      " + string(statusB), "reboot      pending for: kernel",
		"failed      a.service\n", "store       100 MiB free\n", "deploy as   root", "round trip  23 ms",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "\x1b") {
		t.Error("a control character came through")
	}
	if got, want := Summary(r), "razer: differs, 1.0 s"; got != want {
		t.Errorf("got %q", got)
	}
}

func TestJSONStatus(t *testing.T) {
	var b bytes.Buffer
	NewJSON(&b).Finish(statuses(), nil)
	for _, want := range []string{
		`"status":{"standing":"up to date","booted":"` + string(statusA), `"generation":142,"generation_age_seconds":270000,`,
		`"failed_units":["a.service"],"free_bytes":104857600`, `"busy":"another switch-to-configuration is running"`,
		`"standing":"eval error"`,
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in\n%s", want, b.String())
		}
	}
}

func TestAnalysis(t *testing.T) {
	const lib = "/nix/store/33333333333333333333333333333333-lib-1"
	const app = "/nix/store/44444444444444444444444444444444-app-2"
	w := []fleet.Weight{
		{Path: lib, Size: 3 << 20, Frees: 3 << 20},
		{Path: app, Size: 2048, Frees: 3<<20 + 2048},
		{Path: statusA, Size: 10, Frees: 3<<20 + 2058},
	}
	w[0].Via = append(w[0].Via, statusA, app, lib)
	w[1].Via = append(w[1].Via, statusA, app)
	grown := fleet.PackageDiff{OldSize: 910, NewSize: 3<<20 + 2058,
		Added:   []fleet.PackageChange{{Name: "app", NewVersions: []string{"2"}, NewSize: 2048}},
		Changed: []fleet.PackageChange{{Name: "lib", OldVersions: []string{"1"}, NewVersions: []string{"1"}, OldSize: 900, NewSize: 3 << 20}}}
	var b bytes.Buffer
	Analysis(&b, fleet.Result{Host: fleet.Host{Name: "p620"}, Analysis: &fleet.Analysis{System: statusA, Bytes: 3<<20 + 2058, Paths: w,
		Growth: []fleet.Growth{{Against: statusB, Name: "what it runs", Packages: grown}}}})
	want := `p620: what the flake wants, 1111111-p620-26.05
  closure: 3.0 MiB in 3 paths
  against what it runs, 2222222-razer-26.05: +3.0 MiB; 1 packages added, 0 removed, 1 changed
      +3.0 MiB  lib 1
      +2.0 KiB  app 2 (added)

      SIZE       FREES  LARGEST BY THEIR OWN SIZE, AND WHAT REFERS TO THEM
   3.0 MiB     3.0 MiB  lib-1 ← app-2
   2.0 KiB     3.0 MiB  app-2

      SIZE       FREES  LARGEST WITH WHAT ONLY THEY BRING IN
   2.0 KiB     3.0 MiB  app-2

  FREES is what the closure would lose without the path: its own size, and that
  of all that is there only because of it.
`
	if b.String() != want {
		t.Errorf("got\n%s", b.String())
	}
}
