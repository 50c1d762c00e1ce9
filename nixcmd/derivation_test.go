package nixcmd

import (
	"slices"
	"strings"
	"testing"
)

// The three forms: Nix up to 2.31, with paths; from 2.33, with names; and marks in
// structured attributes of either.
func TestParseDerivations(t *testing.T) {
	const drv, in, out = "00000000000000000000000000000000-a.drv", "11111111111111111111111111111111-b.drv", "22222222222222222222222222222222-a"
	for name, c := range map[string]struct {
		text         string
		local, fixed bool
	}{
		"2.26":            {`{"/nix/store/` + drv + `":{"env":{"preferLocalBuild":"1"},"inputDrvs":{"/nix/store/` + in + `":{"outputs":["out"]}},"outputs":{"out":{"path":"/nix/store/` + out + `"}}}}`, true, false},
		"2.34":            {`{"version":4,"derivations":{"` + drv + `":{"env":{"allowSubstitutes":""},"inputs":{"drvs":{"` + in + `":{}},"srcs":[]},"outputs":{"out":{"path":"` + out + `"}}}}}`, true, false},
		"neither":         {`{"` + drv + `":{"env":{"preferLocalBuild":"","allowSubstitutes":"1"},"inputDrvs":{"` + in + `":{}},"outputs":{"out":{"path":"` + out + `"}}}}`, false, false},
		"structured 2.26": {`{"` + drv + `":{"env":{"__json":"{\"preferLocalBuild\":true}"},"inputDrvs":{"` + in + `":{}},"outputs":{"out":{"path":"` + out + `"}}}}`, true, false},
		"structured 2.34": {`{"` + drv + `":{"env":{},"structuredAttrs":{"allowSubstitutes":false},"inputDrvs":{"` + in + `":{}},"outputs":{"out":{"path":"` + out + `"}}}}`, true, false},
		"fixed output":    {`{"` + drv + `":{"env":{},"inputDrvs":{"` + in + `":{}},"outputs":{"out":{"hash":"abc","hashAlgo":"sha256","path":"` + out + `"}}}}`, false, true},
	} {
		got, err := parseDerivations([]byte(c.text))
		if err != nil || len(got) != 1 || got[0].Path != StoreDir+"/"+drv || got[0].Local != c.local || got[0].FixedOutput != c.fixed ||
			!slices.Equal(got[0].Inputs, []StorePath{StoreDir + "/" + in}) || !slices.Equal(got[0].Outputs, []StorePath{StoreDir + "/" + out}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for _, bad := range []string{"", "[]", "null1", `{"x":{}}`, `{"` + drv + `":{}}`, `{"` + drv + `":{"outputs":{"out":{"path":"x"}}}}`, `{"derivations":[]}`} {
		if _, err := parseDerivations([]byte(bad)); err == nil || !strings.Contains(err.Error(), "nix derivation show") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzParseDerivations(f *testing.F) {
	f.Add([]byte(`{"version":4,"derivations":{"00000000000000000000000000000000-a.drv":{"env":{"__json":"{}"},"outputs":{"out":{}}}}}`))
	f.Add([]byte(`{"00000000000000000000000000000000-a.drv":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := parseDerivations(data)
		if err != nil {
			return
		}
		for _, d := range all {
			for _, p := range append(append(d.Inputs, d.Outputs...), d.Path) {
				if _, err := ParseStorePath(string(p)); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
