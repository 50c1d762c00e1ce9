package nixcmd

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// All that Nix has in its cache is in the other one, and what it writes there goes to its own; but not
// what it has fetched and copied.
func TestWithoutCopies(t *testing.T) {
	home := t.TempDir()
	for name, c := range map[string]*Client{
		"HOME":           New(Config{Env: []string{"XDG_CACHE_HOME=", "NIX_CACHE_HOME="}}),
		"XDG_CACHE_HOME": New(Config{Env: []string{"XDG_CACHE_HOME=" + home + "/.cache", "NIX_CACHE_HOME="}}),
		"NIX_CACHE_HOME": New(Config{Env: []string{"NIX_CACHE_HOME=" + home + "/.cache/nix"}}),
	} {
		t.Setenv("HOME", home)
		known := filepath.Join(home, ".cache", "nix")
		for _, f := range []string{"eval-cache-v6/a", "fetcher-cache-v4.sqlite", "fetcher-cache-v4.sqlite-wal"} {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(known, f)), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(known, f), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		setting, remove, err := c.withoutCopies(Version{Major: 2, Minor: 27})
		if err != nil {
			t.Fatal(err)
		}
		dir := strings.TrimPrefix(setting, "NIX_CACHE_HOME=")
		entries, err := os.ReadDir(dir)
		if err != nil || !slices.EqualFunc(entries, []string{"eval-cache-v6"}, func(e os.DirEntry, name string) bool { return e.Name() == name }) {
			t.Errorf("%s: %v, %v", name, entries, err)
		}
		if err := os.WriteFile(filepath.Join(dir, "eval-cache-v6", "b"), nil, 0o600); err != nil {
			t.Error(err)
		}
		remove()
		if _, err := os.Lstat(dir); err == nil {
			t.Errorf("%s: %s is left", name, dir)
		}
		for _, f := range []string{"eval-cache-v6/a", "eval-cache-v6/b", "fetcher-cache-v4.sqlite"} {
			if _, err := os.Lstat(filepath.Join(known, f)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// Until 2.26 Nix has no cache directory of its own: what other programs have there is there still.
func TestWithoutCopiesBefore(t *testing.T) {
	home := t.TempDir()
	for _, f := range []string{"nix/eval-cache-v5/a", "nix/fetcher-cache-v3.sqlite", "git/x"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(home, f)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(home, f), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := New(Config{Env: []string{"XDG_CACHE_HOME=" + home, "NIX_CACHE_HOME=/nowhere"}})
	setting, remove, err := c.withoutCopies(Version{Major: 2, Minor: 26})
	if err != nil {
		t.Fatal(err)
	}
	defer remove()
	dir := strings.TrimPrefix(setting, "XDG_CACHE_HOME=")
	for name, want := range map[string]bool{"nix/eval-cache-v5/a": true, "git/x": true, "nix/fetcher-cache-v3.sqlite": false} {
		if _, err := os.Stat(filepath.Join(dir, name)); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
