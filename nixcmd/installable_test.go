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
