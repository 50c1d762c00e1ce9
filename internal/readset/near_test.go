package readset

import "testing"

func TestNear(t *testing.T) {
	r := &Result{
		Imports: map[string]Facts{
			"flake.nix":         {Paths: []string{"", "hosts/a", "secrets.yaml"}, Under: []string{"", "keys"}},
			"mods/default.nix":  {},
			"hosts/a/state.nix": {},
		},
		Copied: []string{"etc/app/x.conf", "motd"},
	}
	for name, want := range map[string]bool{
		"mods/new.conf": true, "mods/deep/new.conf": false, "hosts/a/deep/x": true, "hosts/b/x": false, "keys/x.pub": true, "secrets.yaml": true,
		"etc/app/y.conf": true, "etc/z": false, "result": false, "notes": false, "hosts/a/vendored/": true, "other/": false,
	} {
		if got := r.Near(name, ""); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	below := &Result{Imports: map[string]Facts{"nix/flake.nix": {Paths: []string{"nix", "nix/mods"}}, "nix/lib.nix": {}}}
	for name, want := range map[string]bool{"nix/notes": false, "nix/mods/x": true, "README": false} {
		if got := below.Near(name, "nix"); got != want {
			t.Errorf("%s in a directory: %v", name, got)
		}
	}
}

func TestBeside(t *testing.T) {
	r := &Result{Copied: []string{"files/motd"}, Imports: map[string]Facts{
		"flake.nix": {Paths: []string{"hosts"}}, "hosts/razer/default.nix": {Paths: []string{"site/secrets.yaml"}}, "nix/flake.nix": {}}}
	for name, want := range map[string]bool{
		"hosts/razer/new.nix": true, "hosts/p620/new.nix": false, "hosts/new.nix": false, "files/new": true,
		"site/secrets.yaml": true, "site/other.yaml": false, "result": false, "new.nix": false, "nix/new.nix": false,
	} {
		if got := r.Beside(name, "nix"); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
