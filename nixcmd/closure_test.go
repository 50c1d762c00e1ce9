package nixcmd

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// The same closure in each of the formats that Nix has had.
func TestParsePathInfoFormats(t *testing.T) {
	const (
		a = "00000000000000000000000000000000-a-1.0"
		b = "11111111111111111111111111111111-b"
	)
	want := []PathInfo{
		{Path: StoreDir + "/" + a, NarSize: 120},
		{Path: StoreDir + "/" + b, NarSize: 9007199254740993, References: []StorePath{StoreDir + "/" + a, StoreDir + "/" + b}, Signers: []string{"k"}},
	}
	for name, in := range map[string]string{
		"2.18, a list": `[
			{"narHash":"sha256-x","narSize":9007199254740993,"path":"/nix/store/B","references":["/nix/store/B","/nix/store/A"],"signatures":["k:s"],"valid":true},
			{"narSize":120,"path":"/nix/store/A","references":[],"valid":true},
			{"path":"/nix/store/22222222222222222222222222222222-gone","valid":false}]`,
		"2.19, a map": `{"/nix/store/B":{"ca":null,"narSize":9007199254740993,"references":["/nix/store/A","/nix/store/B"],"signatures":["k:s"]},
			"/nix/store/A":{"narSize":120,"references":[]},"/nix/store/22222222222222222222222222222222-gone":null}`,
		"format 2": `{"info":{"B":{"narSize":9007199254740993,"references":["A","B"],"signatures":["k:s"],"storeDir":"/nix/store","version":2},
			"A":{"narSize":120,"references":[],"version":2}},"storeDir":"/nix/store","version":2}`,
		"format 3, structured signatures": `{"info":{"B":{"narSize":9007199254740993,"references":["A","B"],"signatures":[{"keyName":"k","sig":"s"}],"version":3},
			"A":{"narSize":120,"references":[],"signatures":[],"version":3}},"storeDir":"/nix/store","version":3}`,
	} {
		in = strings.NewReplacer("/A", "/"+a, "/B", "/"+b, `"A"`, `"`+a+`"`, `"B"`, `"`+b+`"`).Replace(in)
		got, err := ParsePathInfo([]byte(in))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// Real output, with and without --json-format, lists the same.
func TestParsePathInfoRecorded(t *testing.T) {
	var first []PathInfo
	for _, name := range []string{"2.26.3/path-info", "2.34.8/path-info", "2.34.8/path-info-1", "2.34.8/path-info-2"} {
		r, err := readRecording("testdata/" + name + ".txtar")
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParsePathInfo([]byte(r.stdout))
		if err != nil || len(got) != 3 {
			t.Fatalf("%s: %v, %v", name, got, err)
		}
		if first == nil {
			first = got
		}
		if !reflect.DeepEqual(got, first) {
			t.Errorf("%s differs: %v", name, got)
		}
	}
	r, err := readRecording("testdata/2.34.8/path-info-missing.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ParsePathInfo([]byte(r.stdout)); err != nil || len(got) != 1 {
		t.Errorf("an invalid path is left out: %v, %v", got, err)
	}
}

func TestParsePathInfoErrors(t *testing.T) {
	for _, bad := range []string{
		"", " \n", "null x", "7", `"x"`, "{", `{"x":{}}`, `{"/nix/store/x":{}}`, `[{"path":"/etc/passwd"}]`,
		`{"/nix/store/00000000000000000000000000000000-a":{"narSize":-1}}`,
		`{"/nix/store/00000000000000000000000000000000-a":{"narSize":"1"}}`,
		`{"/nix/store/00000000000000000000000000000000-a":{"references":["; rm -rf /"]}}`,
		`{"info":7}`, `{"info":{"a":{}},"version":2}`,
	} {
		if got, err := ParsePathInfo([]byte(bad)); err == nil {
			t.Errorf("%q gave %v", bad, got)
		}
	}
	for _, empty := range []string{"[]", "{}", `{"info":{},"version":2}`} {
		if got, err := ParsePathInfo([]byte(empty)); err != nil || len(got) != 0 {
			t.Errorf("%q gave %v, %v", empty, got, err)
		}
	}
}

func TestClosureArgs(t *testing.T) {
	got := ClosureArgs(somePath)
	want := []string{"path-info", "--extra-experimental-features", "nix-command flakes", "--recursive", "--json", "--", somePath}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func FuzzParsePathInfo(f *testing.F) {
	recorded(f, func(name string, r recording) {
		if strings.Contains(name, "path-info") {
			f.Add([]byte(r.stdout))
		}
	})
	f.Add([]byte(`[null]`))
	f.Add([]byte(`{"info":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		infos, err := ParsePathInfo(data)
		if err != nil {
			return
		}
		for _, info := range infos {
			for _, p := range append(info.References, info.Path) {
				if _, err := ParseStorePath(string(p)); err != nil {
					t.Fatal(err)
				}
			}
			if info.NarSize < 0 {
				t.Fatal(info)
			}
		}
		Diff(infos, nil)
	})
}
