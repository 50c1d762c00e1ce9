package nixcmd

import (
	"strings"
	"testing"
)

func TestParseOutput(t *testing.T) {
	const (
		out  = "/nix/store/g686z8wps78s7kn2ljgwabyd56j9zcg1-nixos-system-web-26.05"
		rest = `],[("/nix/store/8ic66wwxg6vbrah2z0c7rcyipmnbbxnn-a.drv",["out"])],[],"x86_64-linux","/bin/sh",[],[("out","/nix/store/00000000000000000000000000000000-b")])`
	)
	for text, want := range map[string]string{
		`Derive([("out","` + out + `","","")` + rest:                                       out,
		`Derive([("dev","` + out + `-dev","",""),("out","` + out + `","","")` + rest:       out,
		`Derive([("out","` + out + `","r:sha256","00"),("z","` + out + `-z","","")` + rest: out,
		`Derive([("dev","` + out + `-dev","","")` + rest:                                   "",
		`Derive([("out","","r:sha256","")` + rest:                                          "", // not known before it is built
		`Derive([("out","/tmp/x","","")` + rest:                                            "",
		`DrvWithVersion("xp-dyn-drv",[("out","` + out + `","","")` + rest:                  "",
		`Derive([`: "",
		"":         "",
	} {
		if got, ok := parseOutput(text); string(got) != want && ok || ok != (want != "") {
			t.Errorf("%s: %q, %v", text, got, ok)
		}
	}
	if _, ok := readOutput("/nix/store/00000000000000000000000000000000-none.drv"); ok {
		t.Error("a file that is not there tells something")
	}
}

func FuzzParseOutput(f *testing.F) {
	f.Add(`Derive([("out","/nix/store/00000000000000000000000000000000-b","","")],`)
	f.Fuzz(func(t *testing.T, text string) {
		p, ok := parseOutput(text)
		if _, err := ParseStorePath(string(p)); ok && (err != nil || !strings.Contains(text, string(p))) {
			t.Errorf("%q of %q", p, text)
		}
	})
}

// The file says what Nix says.
func TestRealOutput(t *testing.T) {
	nix, _ := realClient(t)
	drv := mustEvaluate(t, nix, "web").Derivation
	got, ok := readOutput(drv)
	if want, err := nix.askOutput(t.Context(), drv); err != nil || !ok || got != want {
		t.Errorf("%s: %q, %v, want %q, %v", drv, got, ok, want, err)
	}
}
