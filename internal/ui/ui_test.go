package ui

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nixflotilla/flotilla/fleet"
)

// Whatever a program prints, nothing of it can move the cursor, change the
// terminal or begin a line.
func FuzzPlain(f *testing.F) {
	f.Add("plain")
	f.Add("\x1b[31mred\x1b[0m \x1b]0;title\a\r\nnext\t\x00")
	f.Add("\x1b[")
	f.Add("\u009b2J\xff\xfe")
	f.Fuzz(func(t *testing.T, text string) {
		got := plain(text)
		if strings.ContainsFunc(got, unicode.IsControl) || !utf8.ValidString(got) {
			t.Fatalf("%q became %q", text, got)
		}
	})
}

func TestPlain(t *testing.T) {
	for text, want := range map[string]string{
		"a b":                      "a b",
		"\x1b[31;1mred\x1b[0m":     "red",
		"a\tb\nc\r":                "a b c",
		"ä ∅ →":                    "ä ∅ →",
		"\x1b]0;owned\a":           "]0;owned",
		"half \x1b[3":              "half ",
		"\u009b2Jnot cleared \xff": "2Jnot cleared ",
	} {
		if got := plain(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestSecondsAndBytes(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0.00 s", 40 * time.Millisecond: "0.04 s", 994 * time.Millisecond: "0.99 s", 996 * time.Millisecond: "1.0 s",
		3240 * time.Millisecond: "3.2 s", 59960 * time.Millisecond: "1 min 00 s", 75 * time.Second: "1 min 15 s",
	} {
		if got := Seconds(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", -2048: "-2.0 KiB", 5 << 20: "5.0 MiB", 3 << 30: "3.0 GiB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		text    string
		columns int
		want    string
	}{{"abc", 0, "abc"}, {"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"→→→→", 2, "→…"}, {"abc", 1, "…"}} {
		if got := cut(c.text, c.columns); got != c.want {
			t.Errorf("%q to %d: %q", c.text, c.columns, got)
		}
	}
}

func report() *fleet.Report {
	failed := &fleet.StepError{Host: "p510", Step: fleet.StepEvaluate, Brief: "hosts/p510/default.nix:3:1: oops", ExitCode: 1,
		Argv: []string{"nix", "path-info"}, Stderr: "a wall\nof trace", Details: []string{"- an assertion"}, Hint: "mend it", Err: errors.New("oops")}
	return &fleet.Report{Duration: 3 * time.Second, Results: []fleet.Result{
		{Host: fleet.Host{Name: "p620"}, Outcome: fleet.Unchanged, Reason: "it already runs it", Duration: 200 * time.Millisecond},
		{Host: fleet.Host{Name: "p510"}, Outcome: fleet.Failed, Err: failed, Duration: time.Second},
		{Host: fleet.Host{Name: "dex5550"}, Outcome: fleet.SwitchedNeedsReboot, Reason: "it ran old", RebootFor: []string{"kernel"}, Duration: 61 * time.Second},
	}}
}

func TestReport(t *testing.T) {
	var b bytes.Buffer
	Report(&b, report())
	want := `HOST     OUTCOME                TIME        WHY
p620     unchanged              0.20 s      it already runs it
p510     failed                 1.0 s       evaluate: hosts/p510/default.nix:3:1: oops
dex5550  switched-needs-reboot  1 min 01 s  it ran old; a reboot is needed for: kernel
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestErrors(t *testing.T) {
	var b bytes.Buffer
	Errors(&b, report(), false)
	if want := "\np510: evaluate failed: hosts/p510/default.nix:3:1: oops\n  - an assertion\n  mend it\n"; b.String() != want {
		t.Errorf("got %q\nwant %q", b.String(), want)
	}
	b.Reset()
	Errors(&b, report(), true)
	for _, part := range []string{"command: nix path-info (exit code 1)", "a wall", "of trace", "- an assertion", "mend it"} {
		if !strings.Contains(b.String(), part) {
			t.Errorf("verbose lacks %q: %q", part, b.String())
		}
	}
}

func TestSummary(t *testing.T) {
	r := report()
	if got, want := Summary(r), "1 of 3 hosts not as wanted: 1 unchanged, 1 failed, 1 switched-needs-reboot, 3.0 s"; got != want {
		t.Errorf("got %q", got)
	}
	r.Results = r.Results[:1]
	if got, want := Summary(r), "p620: unchanged, 3.0 s"; got != want {
		t.Errorf("got %q", got)
	}
}

func TestLines(t *testing.T) {
	var b bytes.Buffer
	l := NewLines(&b, []fleet.Host{{Name: "p620"}, {Name: "dex5550"}}, false)
	l.Event(fleet.Event{Host: "p620", Step: fleet.StepSurvey, Kind: fleet.KindStarted})
	l.Event(fleet.Event{Host: "p620", Step: fleet.StepSurvey, Kind: fleet.KindDone, Text: "runs it", Duration: time.Second})
	l.Event(fleet.Event{Host: "p620", Step: fleet.StepBuild, Kind: fleet.KindLog, Text: "noise"})
	l.Event(fleet.Event{Host: "dex5550", Step: fleet.StepActivate, Kind: fleet.KindLog, Text: "starting\x1b[2J the following units: a"})
	want := "p620    │ survey   1.0 s   runs it\ndex5550 │ activate starting the following units: a\n"
	if b.String() != want {
		t.Errorf("got %q\nwant %q", b.String(), want)
	}
}

func TestConfirmNeedsATerminal(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer out.Close()
	var b bytes.Buffer
	if err := Confirm(t.Context(), in, &b, "Deploy?"); err == nil || !strings.Contains(err.Error(), "FLOTILLA_YES=1") || b.Len() > 0 {
		t.Errorf("%v, %q", err, b.String())
	}
}

// What was interrupted, or is no longer waited for, has not failed.
func TestInterruptedHasNotFailed(t *testing.T) {
	var b bytes.Buffer
	l := NewLines(&b, []fleet.Host{{Name: "p510"}}, false)
	left := &fleet.StepError{Host: "p510", Step: fleet.StepActivate, Brief: "no longer waited for", Hint: "it goes on there", Err: fleet.ErrAbandoned}
	l.Event(fleet.Event{Host: "p510", Step: fleet.StepBuild, Kind: fleet.KindFailed, Cancelled: true, Err: errors.New("x")})
	l.Event(fleet.Event{Host: "p510", Step: fleet.StepActivate, Kind: fleet.KindFailed, Cancelled: true, Err: left})
	Errors(&b, &fleet.Report{Results: []fleet.Result{{Host: fleet.Host{Name: "p510"}, Outcome: fleet.Cancelled, Err: left}}}, false)
	const want = "p510 │ build    interrupted after 0.00 s\np510 │ activate no longer waited for, after 0.00 s\n\np510: activate: no longer waited for\n  it goes on there\n"
	if b.String() != want {
		t.Errorf("got %q\nwant %q", b.String(), want)
	}
}

// Lines are cut to fit, but not before they say why a host was evaluated.
func TestLinesSayWhyInFull(t *testing.T) {
	var b bytes.Buffer
	l := NewLines(&b, []fleet.Host{{Name: "p510"}}, false)
	l.screen.width = 40
	for _, s := range []fleet.Step{fleet.StepEvaluate, fleet.StepSurvey} {
		l.Event(fleet.Event{Host: "p510", Step: s, Kind: fleet.KindDone, Text: "3vnscg4-p510-26.05: hosts/p510/disks.nix changed"})
	}
	l.Event(fleet.Event{Host: "p510", Step: fleet.StepEvaluate, Kind: fleet.KindFailed, Text: "hosts/p510/disks.nix changed"})
	l.Event(fleet.Event{Host: "p510", Step: fleet.StepBuild, Kind: fleet.KindFailed})
	want := "p510 │ evaluate 0.00 s  3vnscg4-p510-26.05: hosts/p510/disks.nix changed\np510 │ survey   0.00 s  3vnscg4-p510-26…\n" +
		"p510 │ evaluate failed after 0.00 s: hosts/p510/disks.nix changed\np510 │ build    failed after 0.00 s\n"
	if b.String() != want {
		t.Errorf("got %q\nwant %q", b.String(), want)
	}
}
