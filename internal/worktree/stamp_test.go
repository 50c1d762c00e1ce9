package worktree

import (
	"os"
	"testing"
)

// A tracked file that is gone is no part of the tree, and yet it touches the tree if it
// comes back, whatever Git has heard of that.
func TestTouchedByAFileThatComesBack(t *testing.T) {
	r := newRepo(t)
	if err := os.Rename(r.path("a.nix"), r.path("a.nix~")); err != nil {
		t.Fatal(err)
	}
	tree := r.read()
	touched, err := tree.Touched()
	if err != nil {
		t.Fatal(err)
	}
	stamp, err := tree.Stamp()
	if err != nil {
		t.Fatal(err)
	}
	if len(stamp.Sizes) != len(tree.Entries) {
		t.Errorf("%d sizes of %d files", len(stamp.Sizes), len(tree.Entries))
	}
	if again, err := tree.Touched(); err != nil || again != touched {
		t.Errorf("nothing was touched: %v", err)
	}
	if err := os.Rename(r.path("a.nix~"), r.path("a.nix")); err != nil {
		t.Fatal(err)
	}
	if now, err := tree.Touched(); err != nil || now == touched {
		t.Errorf("the file that came back is not noticed (%v)", err)
	}
	if now, err := tree.Stamp(); err != nil || now.Same(stamp) {
		t.Errorf("the file that came back is not in the stamp (%v)", err)
	}
}
