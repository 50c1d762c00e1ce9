package nixcmd

import (
	"slices"
	"testing"
)

func TestParseVersion(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Version
		text string
	}{
		{"nix (Nix) 2.26.3\n", Version{2, 26, 3, "", FlavourNix}, "2.26.3"},
		{"nix (Nix) 2.36pre20260102_1a2b3c4\nsecond line", Version{2, 36, 0, "pre20260102_1a2b3c4", FlavourNix}, "2.36.0pre20260102_1a2b3c4"},
		{"nix (Nix) 2.28.0-dirty", Version{2, 28, 0, "dirty", FlavourNix}, "2.28.0dirty"},
		{"nix (Determinate Nix 3.6.2) 2.29.0", Version{2, 29, 0, "", FlavourDeterminate}, "determinate 2.29.0"},
		{"nix (Lix, like Nix) 2.93.0", Version{2, 93, 0, "", FlavourLix}, "lix 2.93.0"},
		{"nix (Lix, like Nix) 2.94.0-dev-pre20250704-abc", Version{2, 94, 0, "dev-pre20250704-abc", FlavourLix}, "lix 2.94.0dev-pre20250704-abc"},
	} {
		v, err := ParseVersion(c.in)
		if err != nil || v != c.want || v.String() != c.text {
			t.Errorf("%q: %+v %q, %v", c.in, v, v, err)
		}
	}
	for _, bad := range []string{"", "nix", "nix (Nix)", "hello 2.3", "nix (Nix) two", "nix (Nix) 2.1234567890", "2.26.3"} {
		if v, err := ParseVersion(bad); err == nil {
			t.Errorf("%q gave %v", bad, v)
		}
	}
}

func TestVersionOrder(t *testing.T) {
	parse := func(s string) Version {
		v, err := ParseVersion("nix (Nix) " + s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	order := []Version{{}, parse("2.3.16"), parse("2.18"), parse("2.18.1"), parse("2.34.8"), parse("2.36pre1"), parse("2.36pre2"), parse("2.36.0"), parse("2.36.1"), parse("3.0")}
	for i, v := range order {
		for j, w := range order {
			if v.Less(w) != (i < j) {
				t.Errorf("%v < %v is %v", v, w, v.Less(w))
			}
		}
	}
	if !slices.IsSortedFunc(order, func(a, b Version) int {
		if a.Less(b) {
			return -1
		}
		return 1
	}) {
		t.Error("not sorted")
	}
	if parse("2.36pre1").AtLeast(2, 36) || !parse("2.36pre1").AtLeast(2, 35) || !parse("2.18").AtLeast(2, 18) {
		t.Error("development versions")
	}
	lix := Version{Major: 2, Minor: 93, Flavour: FlavourLix}
	if !lix.AtLeast(2, 18) || lix.AtLeast(2, 19) || lix.Less(Minimum()) {
		t.Error("Lix has what Nix 2.18 has")
	}
}

func FuzzParseVersion(f *testing.F) {
	f.Add("nix (Nix) 2.26.3")
	f.Add("nix (Determinate Nix 3.6.2) 2.29.0pre1")
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseVersion(s)
		if err == nil && (v.Major < 0 || v.Minor < 0 || v.Patch < 0 || v.Flavour == "" || v.Less(v)) {
			t.Fatalf("%q gave %+v", s, v)
		}
	})
}
