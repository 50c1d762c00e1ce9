package ui

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nixflotilla/flotilla/fleet"
)

func checks() []fleet.Check {
	return []fleet.Check{
		{Name: "nix flake check", Warnings: []string{"old\x1b[2J"}, Problems: []error{errors.New("packages.x: a\x1b[2Jb"), errors.New("two")}, Duration: time.Second},
		{Name: "lib.validateNet", Text: "two\nnetworks\x07\n", Duration: 20 * time.Millisecond},
	}
}

func TestChecks(t *testing.T) {
	var out, errOut bytes.Buffer
	Checks(&out, &errOut, checks())
	wantOut := `CHECK            OUTCOME  TIME
nix flake check  failed   1.0 s
lib.validateNet  ok       0.02 s
  two
  networks
`
	wantErr := "nix flake check: warning: old\nnix flake check: packages.x: ab\nnix flake check: two\n"
	if out.String() != wantOut || errOut.String() != wantErr {
		t.Errorf("got\n%s\n%s", out.String(), errOut.String())
	}
	if got, want := CheckSummary(checks()), "checks of the flake: 1 of 2 failed"; got != want {
		t.Errorf("got %q", got)
	}
	ended := append(checks(), fleet.Check{Name: "lib.validateX", Problems: []error{fmt.Errorf("%w: interrupted", context.Canceled)}})
	if got, want := CheckSummary(ended), "checks of the flake: 1 of 3 failed, 1 of 3 cancelled"; got != want {
		t.Errorf("got %q", got)
	}
	if got, want := CheckSummary(checks()[1:]), "checks of the flake: all ok"; got != want {
		t.Errorf("got %q", got)
	}
}

func TestJSONChecks(t *testing.T) {
	var b bytes.Buffer
	JSONChecks(&b, checks())
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 2 ||
		!strings.Contains(lines[0], `"kind":"check","text":"nix flake check","seconds":1,"outcome":"failed","error":{"brief":"packages.x: ab","details":["packages.x: ab","two"]}`) ||
		!strings.Contains(lines[1], `"outcome":"ok","reason":"two\nnetworks\n"`) {
		t.Errorf("got %s", b.String())
	}
}
