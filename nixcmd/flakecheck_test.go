package nixcmd

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What `nix flake check --keep-going` of two versions said of the same flake;
// the older one logs errors as text for people.
func TestCheckLog(t *testing.T) {
	want := []string{
		"packages.x86_64-linux.foo: pkg foo",
		"packages.x86_64-linux.bar: flake attribute 'packages.x86_64-linux.bar' is not a derivation",
		"checks.x86_64-linux.z: flake.nix:23:145: cannot add a string to an integer",
		"overlays.default: overlay is not a function, but an integer instead",
		"nixosConfigurations.razer: Failed assertions: - bad thing - other",
		"nixosConfigurations.p510: hosts/p510/default.nix:3:15: undefined variable 'nosuch'",
	}
	for _, version := range []string{"2.26.3", "2.34.8"} {
		r, err := readRecording(filepath.Join("testdata", version, "flake-check.txtar"))
		if err != nil {
			t.Fatal(err)
		}
		log := &checkLog{}
		for line := range strings.Lines(r.stderr) {
			log.line(strings.TrimSuffix(line, "\n"))
		}
		var got []string
		for _, p := range log.found() {
			got = append(got, p.Error())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got\n%s\nwant\n%s", version, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if !slices.Contains(log.warnings, "unknown flake output 'strange'") {
			t.Errorf("%s: warnings %q", version, log.warnings)
		}
	}
}

func TestChecked(t *testing.T) {
	for text, want := range map[string]string{
		"checking derivation packages.x.foo":                           "packages.x.foo",
		"checking flake output 'packages'":                             "packages",
		"checking NixOS configuration 'nixosConfigurations.\"a b.c\"'": "nixosConfigurations.\"a b.c\"",
		"checking '": "",
	} {
		if got := checked(text); got != want {
			t.Errorf("%s: %q", text, got)
		}
	}
}

// The only error is a problem whatever it says.
func TestCheckLogSingleError(t *testing.T) {
	log := &checkLog{}
	log.line(`@nix {"action":"msg","column":3,"file":"/x/flake.nix","level":0,"line":2,"msg":"error: ` + someErrors + `","raw_msg":"` + someErrors + `"}`)
	log.line("not an event")
	if found := log.found(); len(found) != 1 || found[0].Line != 2 || found[0].Output != "" {
		t.Errorf("%+v", found)
	}
}

func FuzzReadFailure(f *testing.F) {
	f.Add("error:\n … while x\n at /a/b.nix:1:2:\n error: no good\n at /a/c.nix:3:4:\n 1| x")
	f.Add("at :1:1:")
	f.Add("error: error:\nat x:99999999999999999999:1:")
	f.Fuzz(func(t *testing.T, text string) {
		message, file, line, column := readFailure(text)
		if len(message) > len(text) || line < 0 || column < 0 || file == "" && line != 0 {
			t.Fatalf("%q: %q %q:%d:%d", text, message, file, line, column)
		}
	})
}

func TestCommandsOfChecks(t *testing.T) {
	cfg := Config{Program: "/opt/bin/nix", Options: []Option{{"a", "b"}}}
	lib, err := FlakeAttr(".", "lib")
	if err != nil {
		t.Fatal(err)
	}
	root, err := FlakeOutputs(".")
	if err != nil {
		t.Fatal(err)
	}
	const common = " --extra-experimental-features nix-command flakes --option a b"
	for _, c := range []struct {
		argv []string
		want string
	}{
		{cfg.checkArgs(), "/opt/bin/nix flake check" + common + " --no-build --keep-going --log-format internal-json -v -- ."},
		{cfg.valueArgs(Version{Major: 2, Minor: 26}, root, "f"), "/opt/bin/nix eval" + common + " --json --apply f --log-format internal-json -v -- .#."},
		{cfg.valueArgs(Version{Major: 2, Minor: 18}, lib, ""), "/opt/bin/nix eval" + common + " --json --log-format internal-json -v -- .#lib"},
		{cfg.parseArgs([]source{{"a", "/x/a"}}), "/opt/bin/nix-instantiate --option a b --log-format internal-json --parse /x/a"},
	} {
		if got := strings.Join(c.argv, " "); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
	if _, err := FlakeOutputs("-x"); err == nil {
		t.Error("an option passes for a flake")
	}
	var e *Error
	if _, err := New(Config{}).Value(t.Context(), Installable{}); !errors.As(err, &e) {
		t.Errorf("no installable: %v", err)
	}
}
