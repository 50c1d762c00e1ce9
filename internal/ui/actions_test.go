package ui

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/nixflotilla/flotilla/fleet"
)

// Two hosts whose events alternate: each has a group of its own. What programs
// print is no command to the runner.
func TestActions(t *testing.T) {
	var both bytes.Buffer
	summary := filepath.Join(t.TempDir(), "summary")
	a := NewActions(&both, &both, []fleet.Host{{Name: "p620"}, {Name: "p510"}}, summary, true)
	at := time.Now()
	for _, e := range []fleet.Event{
		{Host: "p620", Step: fleet.StepBuild, Kind: fleet.KindLog, Text: "::error::not true"},
		{Host: "p510", Step: fleet.StepEvaluate, Kind: fleet.KindStarted},
		{Host: "p620", Step: fleet.StepBuild, Kind: fleet.KindLog, Text: "x ##[add-mask]a"},
		{Host: "p620", Kind: fleet.KindResult, Duration: time.Second, Result: &fleet.Result{Outcome: fleet.Built}},
		{Host: "p510", Kind: fleet.KindResult, Duration: time.Second, Result: &fleet.Result{Outcome: fleet.Failed}},
		{Step: fleet.StepEvaluate, Kind: fleet.KindWarning, Text: "of ##[no] host"},
		{Host: "p620", Step: fleet.StepEvaluate, Kind: fleet.KindWarning, Text: "late"},
	} {
		e.Time = at
		a.Event(e)
	}
	failure := &fleet.StepError{
		Host: "p510", Step: fleet.StepEvaluate, Brief: "hosts/a,b:c.nix:3:12: 100% wrong\r\n::set-env name=A::b",
		File: "hosts/a,b:c.nix", Line: 3, Column: 12, Details: []string{"::stop-commands::x", "##[error]y"}, Hint: "mend it", Err: errors.New("x"),
	}
	r := &fleet.Report{Duration: time.Second, Results: []fleet.Result{
		{Host: fleet.Host{Name: "p620"}, Outcome: fleet.Built, Reason: "a | b <img src=x> [c](d)"},
		{Host: fleet.Host{Name: "p510"}, Outcome: fleet.Failed, Err: failure},
	}}
	a.Finish(r, nil)
	want := `::group::p620: built, 1.0 s
p620 │ build    ::error::not true
p620 │ build    x ## [add-mask]a
::endgroup::
::group::p510: failed, 1.0 s
p510 │ evaluate …
::endgroup::
     │ evaluate warning: of ## [no] host
p620 │ evaluate warning: late
::error file=hosts/a%2Cb%3Ac.nix,line=3,col=12,title=p510%3A evaluate failed::hosts/a,b:c.nix:3:12: 100%25 wrong ::set-env name=A::b%0A::stop-commands::x%0A##[error]y%0Amend it
HOST  OUTCOME  TIME    WHY
p620  built    0.00 s  a | b <img src=x> [c](d)
p510  failed   0.00 s  evaluate: hosts/a,b:c.nix:3:12: 100% wrong ::set-env name=A::b

p510: evaluate failed: hosts/a,b:c.nix:3:12: 100% wrong ::set-env name=A::b
  
│   ::stop-commands::x
  ## [error]y
  mend it

`
	if both.String() != want {
		t.Errorf("got\n%s\nwant\n%s", both.String(), want)
	}
	text, err := os.ReadFile(summary)
	if err != nil {
		t.Fatal(err)
	}
	wantSummary := `### Flotilla: 1 of 2 hosts not as wanted\: 1 built\, 1 failed\, 1\.0 s

| Host | Outcome | Time | Why |
|---|---|---|---|
| p620 | ✅ built | 0.00 s | a \| b \<img src\=x\> \[c\]\(d\) |
| p510 | ❌ failed | 0.00 s | evaluate\: hosts\/a\,b\:c\.nix\:3\:12\: 100\% wrong \:\:set\-env name\=A\:\:b |

`
	if string(text) != wantSummary {
		t.Errorf("summary: got\n%s\nwant\n%s", text, wantSummary)
	}
}

// A file outside the flake has no place in the checkout.
func TestAnnotationOutsideTheFlake(t *testing.T) {
	for _, file := range []string{"", "/nix/store/x-source/a.nix", "../a.nix"} {
		if got := annotation(&fleet.StepError{Host: "a", Step: fleet.StepEvaluate, Brief: "b", File: file, Line: 2}); got != "::error title=a%3A evaluate failed::b\n" {
			t.Errorf("%q: %q", file, got)
		}
	}
}

// A summary that cannot be written is a word in the log.
func TestActionsWithoutSummary(t *testing.T) {
	var both bytes.Buffer
	NewActions(&both, &both, nil, t.TempDir(), false).Finish(report(), nil)
	if !strings.Contains(both.String(), "the job's summary could not be written") {
		t.Errorf("got %q", both.String())
	}
}

// Whatever is written, the runner's parser (ActionCommand.cs) finds no command:
// none begins with "::" after white space, none has "##[".
func FuzzGuarded(f *testing.F) {
	f.Add("a\n  ::error::b\n##[group]c\r\u00a0::x")
	f.Add("###[[x\n\x00\u200b::y\n│ ::z")
	f.Fuzz(func(t *testing.T, text string) {
		var b bytes.Buffer
		guarded{&b}.Write([]byte(text))
		for line := range strings.FieldsFuncSeq(b.String(), func(r rune) bool { return r == '\n' || r == '\r' }) {
			trimmed := strings.TrimLeftFunc(line, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) })
			if strings.HasPrefix(trimmed, "::") || strings.Contains(line, "##[") {
				t.Fatalf("%q became %q", text, line)
			}
		}
	})
}
