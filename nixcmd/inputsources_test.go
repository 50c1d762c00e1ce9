package nixcmd

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestParseInputs(t *testing.T) {
	const a, b, s = StoreDir + "/00000000000000000000000000000000-a.drv", StoreDir + "/11111111111111111111111111111111-b.drv", StoreDir + "/22222222222222222222222222222222-s"
	in, err := parseInputs(`Derive([("out","` + StoreDir + `/33333333333333333333333333333333-x","","")],[("` + a + `",["dev","out"]),("` + b + `",["out"])],["` + s + `"],"x86_64-linux","/bin/sh",["-c","a\",]("],[("name","x")])`)
	if err != nil || !slices.Equal(in.derivations, []StorePath{a, b}) || !slices.Equal(in.sources, []StorePath{s}) {
		t.Errorf("%v: %+v", err, in)
	}
	in, err = parseInputs(`Derive([("out","","","")],[],[],"x","y",[],[])`)
	if err != nil || in.derivations != nil || in.sources != nil {
		t.Errorf("%v: %+v", err, in)
	}
	if _, err := parseInputs(`Derive([("out","/`); err == nil {
		t.Error("no error")
	}
}

func FuzzParseInputs(f *testing.F) {
	f.Add(`Derive([("out","","","")],[("/nix/store/00000000000000000000000000000000-a.drv",["out"])],[],"x","y",[],[])`)
	f.Add(`"`)
	f.Add(`Derive([],["`)
	f.Fuzz(func(t *testing.T, text string) { parseInputs(text) })
}

// What a derivation and those that it needs hold, each text by itself.
func TestInputSourcesTexts(t *testing.T) {
	dir := t.TempDir()
	file := func(name, inputs, text string) StorePath {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(`Derive([("out","","","")],[`+inputs+`],[],"x86_64-linux","/bin/sh",[],[("text","`+text+`")])`), 0o600); err != nil {
			t.Fatal(err)
		}
		return StorePath(p)
	}
	s := InputSources{Texts: []string{"abc1234", "sha256-xyz", "unseen"}}
	whole := file("whole.drv", "", "rev abc1234def, hash sha256-xyz=")
	part := file("part.drv", "", "rev abc1234-dirty")
	for drv, want := range map[StorePath][]string{whole: {"abc1234", "sha256-xyz"}, part: {"abc1234"}, file("none.drv", "", "abc123"): nil} {
		for range 2 { // the second time from memory
			if _, holds, err := s.Of(t.Context(), drv); err != nil || !slices.Equal(holds, want) {
				t.Errorf("%s: %q, want %q (%v)", drv, holds, want, err)
			}
		}
	}
}

func TestNamedIn(t *testing.T) {
	const a, b, drv = StoreDir + "/00000000000000000000000000000000-a", StoreDir + "/11111111111111111111111111111111-b.d", StoreDir + "/22222222222222222222222222222222-c.drv"
	there := func(p string) bool { return p == a || p == b || p == drv }
	for text, want := range map[string][]StorePath{
		"":                                     nil,
		"see " + a + ".":                       {a},
		a + "/x and " + b + "; " + a + "-like": {a, b},
		b + "..." + b:                          {b},
		drv + " " + a + "\x00":                 {a},
		StoreDir + "/33333333333333333333333333333333-gone": nil,
		StoreDir + "/short-a":                               nil,
	} {
		if got := namedIn([]byte(text), there); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
