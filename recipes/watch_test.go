package recipes

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/nixflotilla/flotilla/fleet"
)

// The end of the time that Mage gives its targets ends the look at the files as well, and
// either may be noticed first.
func TestWatchEndsWithItsTime(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{fleet.FileName, "flake.nix"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := fleet.Open(fleet.Config{Dir: dir, StateDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close(t.Context())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	next := make(chan *fleet.Files)
	close(next)
	for range 100 {
		if err := (&watching{fleet: f}).await(ctx, next); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
}
