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
		setting, remove, err := c.withoutCopies()
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
