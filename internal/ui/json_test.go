package ui

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/nixflotilla/flotilla/fleet"
)

// Each kind of line, word for word: this is what docs/events.md promises.
func TestJSONLines(t *testing.T) {
	at := time.Date(2026, 11, 23, 12, 0, 0, 5000, time.FixedZone("here", 3600))
	failure := &fleet.StepError{
		Host: "p510", Step: fleet.StepEvaluate, Brief: "a.nix:3:1: oops", File: "a.nix", Line: 3, Column: 1, ExitCode: 1,
		Argv: []string{"nix", "eval"}, Stderr: "never seen", Details: []string{"- \x1b[31man assertion"}, Hint: "mend it", Err: errors.New("oops"),
	}
	for want, e := range map[string]fleet.Event{
		`"kind":"started","host":"p620","step":"survey"}`: {Kind: fleet.KindStarted, Step: fleet.StepSurvey, Host: "p620"},
		`"kind":"done","host":"p620","step":"survey","text":"<b>","seconds":1.5}`: {
			Kind: fleet.KindDone, Step: fleet.StepSurvey, Host: "p620", Text: "<b>", Duration: 1500 * time.Millisecond},
		`"kind":"log","host":"p620","step":"build","text":"red\nnext"}`: {
			Kind: fleet.KindLog, Step: fleet.StepBuild, Host: "p620", Text: "\x1b[31mred\x1b[0m\n\u202enext\xff"},
		`"kind":"progress","host":"p620","step":"copy","text":"x","done":3,"expected":7}`: {
			Kind: fleet.KindProgress, Step: fleet.StepCopy, Host: "p620", Text: "x", Done: 3, Expected: 7},
		`"kind":"progress","host":"p620","step":"copy","text":"x","bytes":5,"bytes_expected":9,"bytes_per_second":2,"step_left_seconds":2}`: {
			Kind: fleet.KindProgress, Step: fleet.StepCopy, Host: "p620", Text: "x", Bytes: 5, BytesExpected: 9, Rate: 2, StepLeft: 2 * time.Second},
		`"kind":"failed","host":"p510","step":"evaluate","seconds":1,"error":{"step":"evaluate","brief":"a.nix:3:1: oops","file":"a.nix","line":3,"column":1,"exit_code":1,"hint":"mend it","details":["- an assertion"],"argv":["nix","eval"]}}`: {
			Kind: fleet.KindFailed, Step: fleet.StepEvaluate, Host: "p510", Duration: time.Second, Err: failure},
		`"kind":"result","host":"p510","seconds":2,"outcome":"failed","reason":"why","error":{"brief":"other"}}`: {
			Kind: fleet.KindResult, Host: "p510", Duration: 2 * time.Second,
			Result: &fleet.Result{Outcome: fleet.Failed, Reason: "why", Err: errors.New("other")}},
	} {
		var b strings.Builder
		e.Time = at
		NewJSON(&b).Event(e)
		if want = `{"v":1,"time":"2026-11-23T11:00:00.000005000Z",` + want + "\n"; b.String() != want {
			t.Errorf("got %swant %s", b.String(), want)
		}
	}
}

func TestJSONReport(t *testing.T) {
	var b strings.Builder
	j := NewJSON(&b)
	j.Write([]byte("\ninterrupted\n"))
	r := report()
	r.Results[2].Difference = &fleet.Difference{Packages: fleet.PackageDiff{Added: []fleet.PackageChange{{Name: "jq", NewVersions: []string{"1.8"}, NewSize: 9}}}}
	j.Finish(r, nil)
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], `"kind":"note","text":"interrupted"`) {
		t.Fatalf("got %q", lines)
	}
	var last struct {
		V      int
		Kind   string
		Report struct {
			ExitCode int `json:"exit_code"`
			Summary  string
			Hosts    []struct {
				Host, Outcome string
				OK            bool
				Error         *struct{ Brief string }
				Difference    *struct {
					Added, Removed []struct{ Name string }
					Units          map[string][]string
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(lines[1]), &last); err != nil {
		t.Fatal(err)
	}
	h := last.Report.Hosts
	if last.V != 1 || last.Kind != "report" || last.Report.ExitCode != 3 || last.Report.Summary != Summary(r) || len(h) != 3 {
		t.Fatalf("got %s", lines[1])
	}
	if h[0].Host != "p620" || !h[0].OK || h[1].OK || h[1].Error == nil || h[1].Error.Brief == "" || h[2].Outcome != "switched-needs-reboot" {
		t.Errorf("hosts: %s", lines[1])
	}
	if d := h[2].Difference; d == nil || len(d.Added) != 1 || d.Added[0].Name != "jq" || d.Removed == nil || d.Units == nil {
		t.Errorf("difference: %s", lines[1])
	}
}

// Whatever a program printed, a line stays one line of JSON, and its text holds
// no control character but line feeds.
func FuzzJSONEvent(f *testing.F) {
	f.Add("a\nb\x1b[2J\xff\u2028")
	f.Fuzz(func(t *testing.T, text string) {
		var b strings.Builder
		NewJSON(&b).Event(fleet.Event{Kind: fleet.KindLog, Text: text})
		line, ok := strings.CutSuffix(b.String(), "\n")
		var got struct{ Text string }
		if err := json.Unmarshal([]byte(line), &got); err != nil || !ok || strings.Contains(line, "\n") {
			t.Fatalf("%q: %v", line, err)
		}
		if strings.ContainsFunc(strings.ReplaceAll(got.Text, "\n", ""), unicode.IsControl) {
			t.Fatalf("%q became %q", text, got.Text)
		}
	})
}
