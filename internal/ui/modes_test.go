package ui

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/nixflotilla/flotilla/fleet"
)

// A deployment that waits, and a specialisation, are seen at a glance, and programs get
// all of it; nothing of it steers a terminal.
func TestStatusOfWhatWaits(t *testing.T) {
	r := statuses()
	r.Results = r.Results[:1]
	st := r.Results[0].Status
	st.Specialisations = []string{"on-the-go"}
	st.Current = statusB
	r.Results[0].Host.Specialisation = "on-the-go"
	st.Deployment = &fleet.HostDeployment{State: fleet.DeploymentWaits, By: "me\x1b[2J@here (pid 1)", Since: time.Unix(1795560382, 0), System: statusB,
		Previous: statusA, GoesBack: true, Left: 65 * time.Second}
	st.Restored = &fleet.Restored{System: statusB, By: "her@home (pid 2)", Why: "it was\x1b[1m late", At: time.Unix(1795560000, 0), OK: true}
	var b bytes.Buffer
	Status(&b, r)
	for _, want := range []string{"p620: up to date\n", "the specialisation on-the-go of what it boots\n", "wanted      what it boots\n",
		"  ! waits 1m5s to be confirmed: `confirm p620`, or it goes back to 1111111-p620-26.05; begun by me@here (pid 1) at ",
		"under way   a deployment waits to be confirmed, by me@here",
		"  ! a deployment of 2222222-razer-26.05 by her@home (pid 2) was rolled back at "} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if strings.ContainsRune(b.String(), 0x1b) {
		t.Errorf("%q", b.String())
	}
	b.Reset()
	NewJSON(&b).Finish(r, nil)
	for _, want := range []string{`"specialisations":["on-the-go"]`, `"deployment":{"state":"waiting","by":"me@here (pid 1)","since":"2026-11-24T22:46:22Z","system":"` + statusB + `","previous":"` + statusA + `","goes_back":true,"left_seconds":65}`,
		`"restored":{"system":"` + statusB + `","by":"her@home (pid 2)","at":"2026-11-24T22:40:00Z","why":"it was late","ok":true}`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in\n%s", want, b.String())
		}
	}
}

// A plan tells of switch inhibitors everywhere: alone, in the table, as JSON and as
// Markdown.
func TestPlanOfInhibitors(t *testing.T) {
	r := planned()
	r.Results[0].Difference.Inhibitors = []fleet.SwitchInhibitor{{Name: "nvidia", Old: "570", New: "575\x1b[2J"}, {Name: "zfs", Old: "2", New: "3"}}
	var b bytes.Buffer
	plan(&b, r)
	NewJSON(&b).Finish(r, nil)
	b.WriteString(Markdown(r))
	for _, want := range []string{"! it would be staged for the next boot, because of switch inhibitors: nvidia 570 → 575, zfs 2 → 3\n",
		"staged for the next boot, for nvidia 570 → 575, zfs 2 → 3; reboot for", `"inhibitors":[{"name":"nvidia","old":"570","new":"575"},{"name":"zfs","old":"2","new":"3"}]`,
		"it would be staged for the next boot, because of switch inhibitors: "} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if strings.ContainsRune(b.String(), 0x1b) {
		t.Error("a control character came through")
	}
}
