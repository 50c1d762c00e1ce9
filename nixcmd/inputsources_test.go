package nixcmd

import (
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
