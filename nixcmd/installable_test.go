package nixcmd

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestFlakeAttrForms(t *testing.T) {
	i, err := FlakeAttr(".", "nixosConfigurations", "a.b", "config")
	if err != nil {
		t.Fatal(err)
	}
	if s := i.String(); s != `.#nixosConfigurations."a.b".config` {
		t.Error(s)
	}
	if s := i.argument(Version{Major: 2, Minor: 18}); s != `.#nixosConfigurations."a.b".config` {
		t.Error(s)
	}
	if s := i.argument(Version{Major: 2, Minor: 19}); s != `.#.nixosConfigurations."a.b".config` {
		t.Error(s)
	}
	if s := (Installable{}).String(); s != "" {
		t.Error(s)
	}
}

// Evaluating a commit writes nothing into the work tree.
func TestArgumentsOfACommit(t *testing.T) {
	v := Version{Major: 2, Minor: 26}
	for ref, want := range map[string][]string{
		".":                                   {"--", ".#.a"},
		"git+file:///x?ref=HEAD&rev=123":      {"--no-write-lock-file", "--", "git+file:///x?ref=HEAD&rev=123#.a"},
		"git+file:///x?dir=rev&ref=HEAD":      {"--", "git+file:///x?dir=rev&ref=HEAD#.a"},
		"git+file:///x%3Frev=1?ref=HEAD&x=%z": {"--", "git+file:///x%3Frev=1?ref=HEAD&x=%z#.a"},
	} {
		i, err := FlakeAttr(ref, "a")
		if got := i.arguments(v); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q (%v)", ref, got, want, err)
		}
	}
}

// Whatever name is accepted, Nix reads it as it was given: here with a reader
// written after the manual (percent-encoding undone, then split at dots outside
// quotes).
func TestFlakeAttrRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		attr := rapid.SliceOfN(rapid.String(), 0, 5).Draw(t, "attr")
		i, err := FlakeAttr(".", attr...)
		if err != nil {
			return
		}
		fragment, ok := strings.CutPrefix(i.argument(Minimum()), ".#")
		if !ok || strings.ContainsAny(fragment, "#^\n\x00") {
			t.Fatalf("%q", fragment)
		}
		decoded, err := url.PathUnescape(fragment)
		if err != nil {
			t.Fatal(err)
		}
		if got := splitAttrPath(decoded); !slices.Equal(got, attr) {
			t.Fatalf("%q became %q", attr, got)
		}
	})
}

func splitAttrPath(s string) []string {
	var path []string
	var name strings.Builder
	quoted := false
	for _, c := range s {
		switch {
		case c == '"':
			quoted = !quoted
		case c == '.' && !quoted:
			path = append(path, name.String())
			name.Reset()
		default:
			name.WriteRune(c)
		}
	}
	return append(path, name.String())
}
