package e2e

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/internal/lab"
)

// A deployment on a terminal: the live view is there while it goes on, and
// afterwards what activations printed, and the table.
func TestLiveViewOfADeployment(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.set("p510", "lab.activationSeconds = 2;")
	// Keep the exit code and the terminal's bytes apart from each other.
	o := m.run("TERM=xterm script -qec 'stty cols 80 rows 24; flotilla deployAllParallel -yes' /dev/null").exits(0)
	o.says("4 hosts: \x1b[0m", "running", "p510    │ activate ", "sleeping 2 s", "✓ ", "\x1b[?2026h")
	_, table, found := strings.Cut(o.stdout, "HOST     OUTCOME")
	if !found || strings.Contains(table, "running") {
		t.Errorf("the table is not the last word:\n%q", o.stdout)
	}
	if strings.LastIndex(o.stdout, "\x1b[?25h") < strings.LastIndex(o.stdout, "\x1b[?25l") {
		t.Error("the cursor remains hidden")
	}
	m.settled("p510")
}

// The same as JSON: each line is an object, a host's steps come in their order,
// and the report is the last.
func TestJSONOfADeployment(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.set("p510", `environment.etc.motd.text = "json";`)
	o := m.run("flotilla deployAllParallel -yes -json").exits(0)
	if o.stderr != "" {
		t.Errorf("standard error: %s", o.stderr)
	}
	type line struct {
		V                      int
		Kind, Host, Step, Text string
		Done, Expected         int
		Report                 *struct {
			Hosts []struct{ Host, Outcome string }
		}
	}
	var steps []string
	var last line
	progress := 0
	for text := range strings.Lines(o.stdout) {
		last = line{}
		if err := json.Unmarshal([]byte(text), &last); err != nil || last.V != 1 {
			t.Fatalf("%q: %v", text, err)
		}
		if last.Host == "p510" && last.Kind == "done" && last.Step != "survey" {
			steps = append(steps, last.Step)
		}
		if last.Host == "p510" && last.Kind == "done" && last.Step == "copy" && !regexp.MustCompile(`^[0-9]+ paths?, [0-9]+ [KM]iB$`).MatchString(last.Text) {
			t.Errorf("the copy was %q", last.Text)
		}
		if last.Kind == "progress" && last.Expected > 0 {
			progress++
		}
	}
	if got := strings.Join(steps, " "); got != "evaluate build copy activate commit" {
		t.Errorf("steps %s", got)
	}
	if progress == 0 {
		t.Error("no progress was counted")
	}
	if last.Kind != "report" || last.Report == nil || len(last.Report.Hosts) != len(lab.Hosts()) {
		t.Fatalf("the last line is %+v", last)
	}
	for _, h := range last.Report.Hosts {
		if (h.Host == "p510") != strings.HasPrefix(h.Outcome, "switched") {
			t.Errorf("%+v", h)
		}
	}
}
