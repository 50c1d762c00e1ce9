package worktree

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/nixflotilla/flotilla/internal/proc"
)

func (r repo) rev(name string) string {
	r.t.Helper()
	res, err := proc.Run(r.t.Context(), proc.Cmd{Argv: []string{"git", "rev-parse", "--verify", name}, Dir: r.dir})
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.TrimSpace(string(res.Stdout))
}

// same wants the snapshot of a commit to be that of the clean work tree, in all
// that is asked of it.
func (r repo) same(dir string) {
	r.t.Helper()
	commit, err := ReadCommit(r.t.Context(), dir, r.rev("HEAD"))
	if err != nil {
		r.t.Fatal(err)
	}
	tree, err := Read(r.t.Context(), Options{Dir: dir})
	if err != nil {
		r.t.Fatal(err)
	}
	if commit.Fingerprint() != tree.Fingerprint() || commit.Shape() != tree.Shape() || fmt.Sprint(commit.Links) != fmt.Sprint(tree.Links) || fmt.Sprint(commit.Inputs) != fmt.Sprint(tree.Inputs) {
		r.t.Errorf("the commit is\n%+v, the clean work tree\n%+v", commit, tree)
	}
	marks, rev := commit.Marks(r.t.Context())
	want, wantRev := tree.Marks(r.t.Context())
	if !slices.Equal(marks, want) || rev != wantRev || len(marks) != 2 {
		r.t.Errorf("%s %s, want %s %s", marks, rev, want, wantRev)
	}
	a, err := commit.Stamp()
	b, wantErr := tree.Stamp()
	if fmt.Sprint(a.Sizes) != fmt.Sprint(b.Sizes) || err != nil || wantErr != nil {
		r.t.Errorf("sizes %v, want %v", a.Sizes, b.Sizes)
	}
	for _, e := range tree.Entries {
		if e.Mode == ModeSymlink {
			continue
		}
		got, err := commit.Texts(r.t.Context(), []string{e.Path})
		want, wantErr := tree.Texts(r.t.Context(), []string{e.Path})
		if got[e.Path] != want[e.Path] || err != nil || wantErr != nil {
			r.t.Errorf("%s: %q (%v), want %q (%v)", e.Path, got, err, want, wantErr)
		}
	}
}

// Whatever is committed, the snapshot of the commit is that of the work tree once
// this is clean.
func TestCommitIsTheCleanTree(t *testing.T) {
	r := newRepo(t)
	names := []string{"a.nix", "a/b.nix", "a.b/c", "dir/b.nix", "dir/z", "sub/flake.nix", "sub/x", "flake.lock", "ünï.nix", "with space"}
	tried := 0
	rapid.Check(t, func(rt *rapid.T) {
		if tried++; tried > 50 {
			return // each costs a dozen of processes
		}
		for range rapid.IntRange(1, 4).Draw(rt, "edits") {
			name := rapid.SampledFrom(names).Draw(rt, "name")
			switch rapid.IntRange(0, 4).Draw(rt, "edit") {
			case 0:
				os.RemoveAll(r.path(name))
			case 1:
				os.Chmod(r.path(name), 0o755)
			case 2:
				os.RemoveAll(r.path(name))
				target := rapid.SampledFrom([]string{"a.nix", "dir", "../a.nix", "nowhere", "/etc/passwd", "../../out", "dir/../a.nix"}).Draw(rt, "target")
				if name != "flake.lock" && !strings.HasSuffix(name, "flake.nix") {
					os.MkdirAll(filepath.Dir(r.path(name)), 0o700)
					os.Symlink(target, r.path(name))
				}
			default:
				text := fmt.Sprint(rapid.IntRange(0, 3).Draw(rt, "text"))
				switch {
				case name == "flake.lock":
					text = `{"nodes":{"root":{"inputs":{"x":"x"}},"x":{"locked":{"type":"github","rev":"1","narHash":"sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}}},"root":"root"}`
				case strings.HasSuffix(name, "flake.nix"):
					text = "{ outputs = { self }: { x = " + text + "; }; }"
				}
				if info, err := os.Lstat(r.path(name)); err == nil && !info.Mode().IsRegular() {
					os.RemoveAll(r.path(name))
				}
				if os.MkdirAll(filepath.Dir(r.path(name)), 0o700) == nil {
					os.WriteFile(r.path(name), []byte(text), 0o600)
				}
			}
		}
		r.commit()
		r.same(r.dir)
		if info, err := os.Lstat(r.path("sub/flake.nix")); err == nil && info.Mode().IsRegular() {
			r.same(r.path("sub"))
		}
		if t.Failed() {
			rt.FailNow()
		}
	})
}

// A commit is what it is, whatever the work tree holds by now; and a clone that
// lacks older ones is another to Nix.
func TestCommitStands(t *testing.T) {
	r := newRepo(t)
	first := r.rev("HEAD")
	before, err := ReadCommit(t.Context(), r.dir, first)
	if err != nil {
		t.Fatal(err)
	}
	r.write("a.nix", "other")
	r.write("flake.lock", "broken")
	r.write(".gitattributes", "*.nix text")
	r.commit()
	after, err := ReadCommit(t.Context(), r.dir, first)
	if err != nil || after.Fingerprint() != before.Fingerprint() {
		t.Errorf("%v: it changed", err)
	}
	var off *OffError
	if _, err := ReadCommit(t.Context(), r.dir, r.rev("HEAD")); !errors.As(err, &off) {
		t.Errorf("with filters: %v", err)
	}
	r.git("rm", "-q", ".gitattributes")
	r.commit()
	if _, err := ReadCommit(t.Context(), r.dir, r.rev("HEAD")); !errors.As(err, &off) || off.Reason != "flake.lock cannot be read" {
		t.Errorf("with a broken lock: %v", err)
	}
	shallow := repo{t, t.TempDir()}
	shallow.git("clone", "-q", "--depth=1", "file://"+r.dir, ".")
	shallow.git("rm", "-q", "flake.lock")
	shallow.git("config", "user.name", "T")
	shallow.git("config", "user.email", "t@example.org")
	shallow.commit()
	shallow.same(shallow.dir)
	for _, bad := range []string{"HEAD", "--all", strings.Repeat("0", 40)} {
		if tree, err := ReadCommit(t.Context(), r.dir, bad); err == nil {
			t.Errorf("%q is %+v", bad, tree)
		}
	}
}

// Files are found through symlinks, as in a work tree.
func TestCommitFollowsLinks(t *testing.T) {
	r := newRepo(t)
	for link, target := range map[string]string{"link": "dir", "dir/up.nix": "../a.nix", "twice": "link/up.nix", "loop": "loop2", "loop2": "loop"} {
		if err := os.Symlink(target, r.path(link)); err != nil {
			t.Fatal(err)
		}
	}
	r.commit()
	commit, err := ReadCommit(t.Context(), r.dir, r.rev("HEAD"))
	if err != nil {
		t.Fatal(err)
	}
	tree := r.read()
	for _, name := range []string{"a.nix", "link/b.nix", "dir/up.nix", "link/up.nix", "twice", "loop", "nowhere"} {
		if got, want := commit.Real(name), tree.Real(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
		got, err := commit.Texts(t.Context(), []string{name})
		want, wantErr := tree.Texts(t.Context(), []string{name})
		if (err == nil) != (wantErr == nil) && name != "loop" || err == nil && wantErr == nil && got[name] != want[name] {
			t.Errorf("%s: %q (%v), want %q (%v)", name, got, err, want, wantErr)
		}
	}
}

// What a submodule's commit holds may not be here at all.
func TestCommitWithSubmodules(t *testing.T) {
	r := newRepo(t)
	r.git("update-index", "--add", "--cacheinfo", "160000,"+r.rev("HEAD")+",sub")
	r.git("commit", "-q", "-m", "x")
	var off *OffError
	if _, err := ReadCommit(t.Context(), r.dir, r.rev("HEAD")); !errors.As(err, &off) || off.Reason != "commits with submodules are not compared" {
		t.Error(err)
	}
}
