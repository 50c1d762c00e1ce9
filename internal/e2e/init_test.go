package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// What init writes, and the commands that it says to run next, give a repository
// its targets. The fake Nix knows the hosts' names; modules come from Go's cache.
func TestInitGivesTargets(t *testing.T) {
	checkout, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "My Flake")
	bin := t.TempDir()
	for name, text := range map[string]string{
		filepath.Join(dir, "flake.nix"): "{}",
		filepath.Join(bin, "nix"): `#!/bin/sh
case "$*" in
  --version) echo 'nix (Nix) 2.26.3' ;;
  *) echo '["p620","razer"]' ;;
esac
`,
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	// A build alone leaves out go.mod files of modules that it needs nothing of; `go get` reads them all.
	if _, err := proc.Run(t.Context(), proc.Cmd{Argv: []string{"go", "mod", "graph"}, Dir: checkout}); err != nil {
		t.Fatal(err)
	}
	cache, err := proc.Run(t.Context(), proc.Cmd{Argv: []string{"go", "env", "GOMODCACHE"}})
	if err != nil {
		t.Fatal(err)
	}
	env := proc.Environ("PATH="+bin+":"+os.Getenv("PATH"), "GOPROXY=file://"+strings.TrimSpace(string(cache.Stdout))+"/cache/download",
		"GOSUMDB=off", "GOWORK=off", "CGO_ENABLED=0")
	run := func(argv ...string) string {
		t.Helper()
		res, err := proc.Run(t.Context(), proc.Cmd{Argv: argv, Dir: dir, Env: env})
		if err != nil {
			t.Fatalf("%v: %v\n%s%s", argv, err, res.Stdout, res.Stderr)
		}
		return string(res.Stdout)
	}
	said := run(flotilla, "init")
	if !strings.Contains(said, "fleet.toml is written: 2 hosts: p620, razer") {
		t.Error(said)
	}
	next := 0
	for line := range strings.Lines(said) {
		command, isOne := strings.CutPrefix(line, "  go ")
		if !isOne || strings.Contains(command, "-replace") {
			continue
		}
		next++
		argv := append([]string{"go"}, strings.Fields(command)...)
		out := run(argv...)
		switch {
		case argv[1] == "mod": // the module is not published where this test runs
			run("go", "mod", "edit", "-replace", "github.com/nixflotilla/flotilla="+checkout)
		case argv[1] == "tool" && !strings.Contains(out, "  quickDeploy "):
			t.Errorf("%s: %s", line, out)
		}
	}
	if next != 4 {
		t.Errorf("%d commands:\n%s", next, said)
	}

	// Again: everything stays, and says so. The inventory is a good one.
	before, err := os.ReadFile(filepath.Join(dir, "fleet.toml"))
	if err != nil {
		t.Fatal(err)
	}
	if said := run(flotilla, "init"); !strings.Contains(said, "fleet.toml is there already") || !strings.Contains(said, "magefile.go is there already") {
		t.Error(said)
	}
	if after, err := os.ReadFile(filepath.Join(dir, "fleet.toml")); err != nil || string(after) != string(before) {
		t.Errorf("fleet.toml was changed: %v", err)
	}
}
