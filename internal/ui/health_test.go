package ui

import (
	"strings"
	"testing"
	"time"

	"github.com/nixflotilla/flotilla/fleet"
)

// A host's checks are a line each, and in the report; what a program printed does
// no harm in either.
func TestHealthIsShown(t *testing.T) {
	e := fleet.Event{Host: "p620", Step: fleet.StepHealth, Kind: fleet.KindLog, Text: "dns: port 53 takes connections\x1b[2J"}
	var b strings.Builder
	NewLines(&b, []fleet.Host{{Name: "p620"}}, false).Event(e)
	if got, want := b.String(), "p620 │ health   dns: port 53 takes connections\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	r := &fleet.Report{Results: []fleet.Result{{Host: fleet.Host{Name: "p620"}, Outcome: fleet.Switched, Health: []fleet.HealthResult{
		{Check: "dns", OK: true, Answer: "port 53 takes connections", Tries: 2, Duration: time.Second},
		{Check: "web", FailedBefore: true, Answer: "\x1b[31mno\nbody", Tries: 5, Duration: 5 * time.Second},
	}}}}
	b.Reset()
	NewJSON(&b).Finish(r, nil)
	const want = `"health":[{"check":"dns","ok":true,"answer":"port 53 takes connections","tries":2,"seconds":1},` +
		`{"check":"web","ok":false,"failed_before":true,"answer":"no body","tries":5,"seconds":5}]`
	if !strings.Contains(b.String(), want) {
		t.Errorf("got %s", b.String())
	}
}
