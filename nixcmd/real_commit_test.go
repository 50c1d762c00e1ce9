package nixcmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// Nix evaluates what is staged by a commit that no branch leads to, from a flake
// in a directory with an odd name, in a new repository, a linked work tree and a
// shallow clone: without a warning, without looking at the work tree, and the
// second time from its evaluation cache.
func TestRealCommits(t *testing.T) {
	nix, flake := realClient(t)
	root := filepath.Join(t.TempDir(), "odd #&+%20 dir")
	inside := filepath.Join("one two", "nix?")
	if err := os.MkdirAll(root, 0o700); err != nil {
		t.Fatal(err)
	}
	git(t, root, "init", "-q")
	if err := os.CopyFS(filepath.Join(root, inside), os.DirFS(flake)); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(root, inside, ".git")); err != nil {
		t.Fatal(err)
	}
	git(t, root, "add", ".")
	linked, shallow := filepath.Join(t.TempDir(), "linked"), filepath.Join(t.TempDir(), "shallow")

	want := mustEvaluate(t, nix, "web").Derivation
	staged := func(top string, cached bool) {
		t.Helper()
		dir := filepath.Join(top, inside)
		at := New(nix.cfg)
		at.cfg.Dir = dir
		if err := os.WriteFile(filepath.Join(dir, "flake.nix"), []byte("not staged"), 0o600); err != nil {
			t.Fatal(err)
		}
		tree, err := at.StagedTree(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c, err := at.CommitOf(t.Context(), tree)
		if err != nil {
			t.Fatal(err)
		}
		what, err := FlakeAttr(c.FlakeRef(), "nixosConfigurations", "web", "config", "system", "build", "toplevel")
		if err != nil {
			t.Fatal(err)
		}
		ev, err := at.Evaluate(t.Context(), what, EvaluateOptions{})
		if err != nil || ev.Derivation != want || len(ev.Warnings) > 0 || ev.Cached != cached {
			t.Errorf("%s: %+v, %v", c.FlakeRef(), ev, err)
		}
		if text, err := at.FileIn(t.Context(), c, "flake.nix"); err != nil || !strings.Contains(string(text), "nixosConfigurations") {
			t.Errorf("flake.nix: %q, %v", text, err)
		}
		if text, err := at.FileIn(t.Context(), c, "fleet.toml"); err != nil || text != nil {
			t.Errorf("fleet.toml: %q, %v", text, err)
		}
		git(t, top, "checkout", "-q", ".")
	}
	staged(root, false)
	staged(root, true)
	git(t, root, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "one")
	git(t, root, "worktree", "add", "-q", linked)
	staged(linked, true)
	if _, err := proc.Run(t.Context(), proc.Cmd{Argv: []string{"git", "-c", "protocol.file.allow=always", "clone", "-q", "--depth=1", "file://" + linked, shallow}}); err != nil {
		t.Fatal(err)
	}
	// Without the count of its ancestors it is another state to Nix.
	staged(shallow, false)
	staged(shallow, true)
}
