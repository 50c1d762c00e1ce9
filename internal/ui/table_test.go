package ui

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/nixflotilla/flotilla/fleet"
)

func TestTable(t *testing.T) {
	var b bytes.Buffer
	Table(&b, []Cell{{Text: "NAME"}, {Text: "N", Right: true}, {Text: "WHAT"}}, [][]Cell{
		{{Text: "ä"}, {Text: "100", Right: true}, {Text: "first"}},
		{{Text: "evil\x1b[2J"}, {Text: "spans what is left", Tone: Bad}},
		{{Text: "c"}, {Text: "7", Right: true}, {Text: ""}},
	})
	want := "NAME    N  WHAT\nä     100  first\nevil  spans what is left\nc       7\n"
	if b.String() != want {
		t.Errorf("got:\n%q\nwant:\n%q", b.String(), want)
	}
}

// On a terminal no row is wider than it: the last column is cut, and left out where
// nothing of it could be read.
func TestTableOnATerminal(t *testing.T) {
	head := []Cell{{Text: "HOST"}, {Text: "OUTCOME"}, {Text: "WHY"}}
	rows := [][]Cell{
		{{Text: "dex5550"}, {Text: "unchanged"}, {Text: "it already runs and boots it"}},
		{{Text: "p620"}, {Text: "this spans what is left"}},
	}
	for width, want := range map[int]string{
		40: "HOST     OUTCOME    WHY\ndex5550  unchanged  it already runs and…\np620     this spans what is left\n",
		24: "HOST     OUTCOME    WHY\ndex5550  unchanged  it …\np620     this spans wha…\n",
		23: "HOST     OUTCOME\ndex5550  unchanged\np620     this spans wh…\n",
	} {
		var b bytes.Buffer
		if err := (screen{w: &b, width: width}).table(head, rows); err != nil || b.String() != want {
			t.Errorf("%d: got:\n%s\nwant:\n%s", width, b.String(), want)
		}
	}
}

func TestReportOnANarrowTerminal(t *testing.T) {
	r := &fleet.Report{Results: []fleet.Result{
		{Host: fleet.Host{Name: "p620"}, Outcome: fleet.SwitchedNeedsReboot, Duration: time.Second, Reason: "it runs another"},
		{Host: fleet.Host{Name: "dex5550"}, Outcome: fleet.Unchanged, Duration: time.Second},
	}}
	for _, width := range []int{80, 48, 43, 42, 40} {
		var b bytes.Buffer
		screen{w: &b, width: width}.report(r)
		for line := range strings.Lines(b.String()) {
			if n := utf8.RuneCountInString(strings.TrimSpace(line)); n > width {
				t.Errorf("%d of %d columns: %s", n, width, line)
			}
		}
		if strings.Contains(b.String(), "WHY") != (width >= 43) {
			t.Errorf("%d:\n%s", width, b.String())
		}
	}
}

func TestNote(t *testing.T) {
	var b bytes.Buffer
	Note(&b, "- "+"seven77 seven77 seven77 seven77 seven77 seven77 seven77 seven77 seven77 1234567 \x1b[31mnext")
	want := "- seven77 seven77 seven77 seven77 seven77 seven77 seven77 seven77 seven77\n  1234567 next\n"
	if b.String() != want {
		t.Errorf("got:\n%s", b.String())
	}
}

// Where there is no terminal each stage is a line, whatever its details, and
// nothing is taken away.
func TestStatusInAFile(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := NewStage(f)
	s.Set("building", "")
	for _, d := range []string{"1 of 2", "2 of 2"} {
		s.Set("measuring", d)
	}
	s.Clear()
	NewStage(nil).Set("nobody looks", "")
	if text, err := os.ReadFile(f.Name()); err != nil || string(text) != "building\nmeasuring\n" {
		t.Errorf("%q, %v", text, err)
	}
}
