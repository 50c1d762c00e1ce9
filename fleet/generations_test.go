package fleet

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// systemPath is the path of a system named by a letter.
func systemPath(letter string) nixcmd.StorePath {
	return nixcmd.StorePath("/nix/store/" + strings.Repeat(strings.ToLower(letter), 32) + "-nixos-system-host-26.05")
}

// parsedHistory is what a host with these systems as generations 1, 2… says: "-"
// is a number without a generation, a capital a system that is gone.
func parsedHistory(t *testing.T, systems string, profile int, current, previous string) (Survey, profileHistory) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "flotilla-survey 1\ngeneration system-%d-link\ncurrent %s\n", profile, systemPath(current))
	for i, letter := range strings.Split(systems, "") {
		if letter == "-" {
			continue
		}
		fmt.Fprintf(&b, "generations/system-%d-link/path %s\ngenerations/system-%d-link/made 1700000000.5\n", i+1, systemPath(letter), i+1)
		if strings.ToUpper(letter) == letter {
			fmt.Fprintf(&b, "generations/system-%d-link/gone yes\n", i+1)
		}
		if i+1 == profile {
			fmt.Fprintf(&b, "profile %s\n", systemPath(letter))
		}
	}
	if previous != "" {
		fmt.Fprintf(&b, "generations/previous %s %s\n", systemPath(previous[:1]), systemPath(previous[1:]))
	}
	text := b.String() + "end ok\n"
	s, err := parseSurvey(text)
	if err != nil {
		t.Fatal(err)
	}
	a, err := parseAnswer(text)
	if err != nil {
		t.Fatal(err)
	}
	return s, parseGenerations(a, s)
}

func TestGenerationBefore(t *testing.T) {
	for _, c := range []struct {
		name     string
		systems  string // of generations 1, 2…
		profile  int
		current  string
		previous string // new and old of the last deployment
		want     int
	}{
		{"the one before", "abc", 3, "c", "cb", 2},
		{"nothing is remembered", "abc", 3, "c", "", 2},
		{"a gap", "ab-c", 4, "c", "cb", 2},
		{"a deployment that changed nothing makes no generation, and no memory", "abc", 3, "c", "cb", 2},
		{"the same system before", "abb", 3, "b", "", 1},
		{"there and back", "aba", 3, "a", "", 2},
		{"after a rollback: further back", "abc", 2, "b", "cb", 1},
		{"a deployment after a rollback: not to what was rolled back from", "abcd", 4, "d", "db", 2},
		{"somebody else's switch since", "abcd", 4, "d", "cb", 3},
		{"what was before is deleted", "ab-d", 4, "d", "dc", 2},
		{"what was before is gone", "abCd", 4, "d", "dc", 2},
		{"newer ones are not before", "abc", 1, "a", "", 0},
		{"the only one", "a", 1, "a", "", 0},
		{"staged: what it runs", "abc", 3, "b", "cb", 2},
		{"never confirmed: what it boots", "abc", 3, "x", "cb", 3},
		{"switched the profile back, but still runs the newer", "abc", 2, "c", "cb", 2},
	} {
		s, h := parsedHistory(t, c.systems, c.profile, c.current, c.previous)
		g, err := h.target(s, "")
		if g.Number != c.want || (err != nil) != (c.want == 0) {
			t.Errorf("%s: generation %d, want %d: %v", c.name, g.Number, c.want, err)
		}
	}
}

func TestGenerationNamed(t *testing.T) {
	s, h := parsedHistory(t, "abCb", 4, "b", "")
	for to, want := range map[string]int{"1": 1, "2": 2, "4": 4, string(systemPath("a")): 1, string(systemPath("b")): 4} {
		if g, err := h.target(s, to); err != nil || g.Number != want {
			t.Errorf("%s: generation %d, want %d: %v", to, g.Number, want, err)
		}
	}
	for to, says := range map[string]string{
		"3": "no longer in the host's store", "5": "no generation 5", string(systemPath("x")): "none of the host's generations",
		"0": "is no generation", "-1": "is no generation", "b": "is no generation", "99999999999": "is no generation", "/nix/store": "is no generation",
	} {
		if g, err := h.target(s, to); err == nil || !strings.Contains(err.Error(), says) || g.Number != 0 {
			t.Errorf("%s: %+v, %v; want %q", to, g, err, says)
		}
	}
	if _, err := (profileHistory{}).target(s, ""); err == nil || !strings.Contains(err.Error(), "no system profile") {
		t.Error(err)
	}
}

// What a generation is to a host; of several of one system, the profile's own.
func TestGenerationStates(t *testing.T) {
	s, h := parsedHistory(t, "abab", 2, "b", "")
	for _, g := range h.all {
		if live := g.Number == 2; g.Live != live || g.Profile != live || g.Booted || g.Gone || g.Made.Unix() != 1700000000 {
			t.Errorf("%+v", g)
		}
	}
	if text := h.text(s); text != "4 generations; runs and boots 2" {
		t.Error(text)
	}
	s, h = parsedHistory(t, "ab", 1, "x", "")
	if text := h.text(s); text != "2 generations; runs "+short(systemPath("x"))+", which is none of them; boots 1" {
		t.Error(text)
	}
}

// Whatever a host says, generations are in order, each once, with a number and
// with paths that are store paths; and where to go back to is one of them.
func FuzzGenerations(f *testing.F) {
	f.Add("generations/system-1-link/path /nix/store/00000000000000000000000000000000-a\ngenerations/system-1-link/made 1e9\ngeneration system-1-link\nend ok\n", "1")
	f.Add("generations/system-01-link/path /\ngenerations/previous a b\nend ok\n", "")
	f.Add("generations/system-2-link/kernel ../x\ngenerations/system-99999999999999999999-link/path /nix/store\nend ok\n", "/nix/store/x")
	f.Fuzz(func(t *testing.T, text, to string) {
		a, err := parseAnswer(text)
		if err != nil {
			return
		}
		s, _ := parseSurvey("flotilla-survey 1\n" + text)
		h := parseGenerations(a, s)
		last := 0
		for _, g := range h.all {
			if g.Number <= last || g.Path != "" && storePath(string(g.Path)) != g.Path || g.Made.Year() > 40000 {
				t.Fatalf("%+v", h.all)
			}
			last = g.Number
		}
		g, err := h.target(s, to)
		if err == nil && (h.at(g.Number) == nil || g.Path == "" || g.Gone) {
			t.Fatalf("%+v of %+v", g, h.all)
		}
	})
}
