package nixcmd

import (
	"strings"
	"testing"
	"time"
)

const sampleLock = `{"nodes": {
  "home": {"inputs": {"nixpkgs": ["nixpkgs"], "utils": "utils"}, "locked": {"lastModified": 1, "narHash": "sha256-h", "rev": "aa"}},
  "nixpkgs": {"locked": {"lastModified": 1767312000, "narHash": "sha256-n", "rev": "bb", "type": "github"}, "original": {"id": "nixpkgs", "type": "indirect"}},
  "utils": {"inputs": {"again": "home"}},
  "root": {"inputs": {"home": "home", "nixpkgs": "nixpkgs"}}
}, "root": "root", "version": 7}`

func TestParseLock(t *testing.T) {
	l, err := ParseLock([]byte(sampleLock))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]LockedInput{
		"home":       {Rev: "aa", NarHash: "sha256-h", LastModified: time.Unix(1, 0).UTC()},
		"nixpkgs":    {Rev: "bb", NarHash: "sha256-n", LastModified: time.Unix(1767312000, 0).UTC()},
		"home/utils": {},
	}
	if len(l.Inputs) != len(want) {
		t.Errorf("%+v", l.Inputs)
	}
	for name, in := range want {
		if l.Inputs[name] != in {
			t.Errorf("%s: %+v", name, l.Inputs[name])
		}
	}
	if len(l.Follows) != 1 || l.Follows["home/nixpkgs"] != "nixpkgs" {
		t.Errorf("%+v", l.Follows)
	}
	for _, bad := range []string{"", "[]", "{}", `{"nodes":{"root":{"inputs":{"a":"b"}}},"root":"root"}`, `{"nodes":{"root":{"inputs":{"a":1}}},"root":"root"}`} {
		if _, err := ParseLock([]byte(bad)); err == nil || !strings.HasPrefix(err.Error(), "not a flake.lock") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// No lock takes long or much, also one that leads in circles.
func FuzzParseLock(f *testing.F) {
	f.Add(sampleLock)
	f.Add(`{"nodes":{"r":{"inputs":{"a":"r","b":"r"}}},"root":"r"}`)
	f.Fuzz(func(t *testing.T, text string) {
		l, err := ParseLock([]byte(text))
		if err == nil && len(l.Inputs) > mostInputs {
			t.Errorf("%d inputs", len(l.Inputs))
		}
	})
}

func TestUpdateArgs(t *testing.T) {
	v := func(text string) Version {
		v, err := ParseVersion("nix (Nix) " + text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	cfg := Config{Program: "nix"}
	for _, c := range []struct {
		version string
		names   []string
		want    string
	}{
		{"2.18.1", []string{"a", "b"}, "nix flake lock --extra-experimental-features nix-command flakes --update-input a --update-input b"},
		{"2.19.0", []string{"a", "b"}, "nix flake update --extra-experimental-features nix-command flakes -- a b"},
		{"2.18.1", nil, "nix flake update --extra-experimental-features nix-command flakes"},
		{"2.34.8", nil, "nix flake update --extra-experimental-features nix-command flakes"},
	} {
		if got := strings.Join(cfg.updateArgs(v(c.version), c.names), " "); got != c.want {
			t.Errorf("%s %v: %s", c.version, c.names, got)
		}
	}
}
