package ui

import (
	"bytes"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/fleet"
)

// A plan for a host that another deployment has says so, wherever it is read.
func TestPlanOfALockedHost(t *testing.T) {
	r := planned()
	held := "waits 1m5s to be confirmed: `confirm p620`, or it goes back to 1111111-p620; begun by me\x1b[2J@here (pid 1)"
	for _, n := range []int{1, 2} { // the only one, and one of several
		r := &fleet.Report{Planned: true, Results: r.Results[:n]}
		r.Results[0].Difference.Held = held
		var text, json bytes.Buffer
		answers{out: &text, err: &text}.write(r, nil)
		NewJSON(&json).Finish(r, nil)
		for what, got := range map[string]string{"text": text.String(), "markdown": Markdown(r), "JSON": json.String()} {
			if !strings.Contains(got, "waits 1m5s to be confirmed") || strings.Contains(got, "\x1b") {
				t.Errorf("%s of %d: %s", what, n, got)
			}
		}
		if want := "  ! locked for now: waits 1m5s to be confirmed: `confirm p620`, or it goes back"; !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
		if n == 2 && !strings.Contains(text.String(), "  locked for now: waits") {
			t.Errorf("not in the table:\n%s", text.String())
		}
	}
}

// While the marker of a commit stands, what boots is not known.
func TestStatusOfACutShortCommit(t *testing.T) {
	r := statuses()
	r.Results = r.Results[1:2]
	r.Results[0].Status.Uncommitted = true
	var b bytes.Buffer
	Status(&b, r)
	if want := "boots       not known: a commit was cut short; its profile is 2222222-razer-26.05\n"; !strings.Contains(b.String(), want) || strings.Contains(b.String(), "! boots") {
		t.Errorf("no %q in\n%s", want, b.String())
	}

	b.Reset()
	Generations(&b, fleet.Result{Generations: []fleet.Generation{{Number: 7, Path: statusA, Live: true, Profile: true, Uncommitted: true}}})
	if !strings.Contains(b.String(), "runs, may boot ") {
		t.Error(b.String())
	}
}
