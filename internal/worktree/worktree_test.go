package worktree

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// repo is a Git repository with a flake in it.
type repo struct {
	t   *testing.T
	dir string
}

func newRepo(t *testing.T) repo {
	t.Helper()
	if _, err := proc.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	r := repo{t, t.TempDir()}
	r.git("init", "-q", "-b", "main")
	r.git("config", "user.name", "T")
	r.git("config", "user.email", "t@example.org")
	r.write("flake.nix", "{ outputs = { self }: { }; }")
	r.write("a.nix", "1")
	r.write("dir/b.nix", "2")
	r.commit()
	return r
}

func (r repo) git(args ...string) {
	r.t.Helper()
	if _, err := proc.Run(r.t.Context(), proc.Cmd{Argv: append([]string{"git"}, args...), Dir: r.dir}); err != nil {
		r.t.Fatal(err)
	}
}

func (r repo) commit() { r.git("add", "."); r.git("commit", "-q", "--allow-empty", "-m", "x") }

func (r repo) path(name string) string { return filepath.Join(r.dir, name) }

func (r repo) write(name, text string) {
	r.t.Helper()
	if err := os.MkdirAll(filepath.Dir(r.path(name)), 0o700); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(r.path(name), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// read takes a snapshot twice, from an empty cache and from a filled one, and
// through an encoding; all are the same.
func (r repo) read() *Tree {
	r.t.Helper()
	o := Options{Dir: r.dir, Cache: filepath.Join(r.t.TempDir(), "stat")}
	var trees [3]*Tree
	for i := range 2 {
		var err error
		if trees[i], err = Read(r.t.Context(), o); err != nil {
			r.t.Fatal(err)
		}
	}
	var err error
	if trees[2], err = Decode(trees[1].Encode(), trees[0].Fingerprint()); err != nil {
		r.t.Fatal(err)
	}
	if trees[2].Shape() != trees[0].Shape() {
		r.t.Error("the shape is lost in encoding")
	}
	return trees[0]
}

// off wants that no snapshot can be taken, and why.
func (r repo) off(reason string) {
	r.t.Helper()
	_, err := Read(r.t.Context(), Options{Dir: r.dir})
	var o *OffError
	if !errors.As(err, &o) || !strings.Contains(err.Error(), reason) {
		r.t.Errorf("%v, want %q", err, reason)
	}
}

func changed(from, to *Tree) string {
	var names []string
	for _, c := range Changes(from, to) {
		names = append(names, c.Path)
	}
	return strings.Join(names, " ")
}

// Where contents are those of index and work tree, a change of the index alone is one to
// be careful about, and none that Nix is certain to see.
func TestChangeOfTheIndexAlone(t *testing.T) {
	r := newRepo(t)
	r.write(".gitattributes", "*.md text\n")
	r.write("notes.md", "1\n")
	r.commit()
	certain := func(from, to *Tree) (changed, seen int) {
		for _, c := range Changes(from, to) {
			changed++
			if c.InWorkTree() {
				seen++
			}
		}
		return changed, seen
	}
	clean := r.read()
	r.write("notes.md", "2\n")
	edited := r.read()
	r.git("add", "notes.md")
	staged := r.read()
	if !staged.Uncertain || !staged.Dirty {
		t.Fatalf("%+v", staged)
	}
	if n, seen := certain(clean, edited); n != 1 || seen != 1 {
		t.Errorf("edited: %d changes, %d certain", n, seen)
	}
	if n, seen := certain(edited, staged); n != 1 || seen != 0 {
		t.Errorf("staged: %d changes, %d certain", n, seen)
	}
	r.write("notes.md", "3\n")
	if n, seen := certain(staged, r.read()); n != 1 || seen != 1 {
		t.Errorf("edited again: %d changes, %d certain", n, seen)
	}
}

// What Nix sees is what is tracked, as it is in the work tree; the same contents
// have the same identity whether they are committed or not.
func TestGitTree(t *testing.T) {
	r := newRepo(t)
	clean := r.read()
	if clean.Dirty || clean.Uncertain || clean.Head == "" || len(clean.Entries) != 3 {
		t.Fatalf("%+v", clean)
	}

	r.write("untracked.nix", "")
	if r.read().Fingerprint() != clean.Fingerprint() {
		t.Error("an untracked file counts")
	}
	if files, _, err := Untracked(t.Context(), r.dir); err != nil || !slices.Equal(files, []string{"untracked.nix"}) {
		t.Errorf("untracked: %v, %v", files, err)
	}

	r.write("a.nix", "3")
	dirty := r.read()
	if !dirty.Dirty || changed(clean, dirty) != "a.nix" || dirty.Shape() != clean.Shape() || dirty.Head != clean.Head {
		t.Errorf("%s: %+v", changed(clean, dirty), dirty)
	}
	r.git("add", "a.nix")
	if staged := r.read(); staged.Fingerprint() != dirty.Fingerprint() {
		t.Error("staging changes what Nix sees")
	}
	r.git("commit", "-q", "-m", "y")
	committed := r.read()
	if committed.Dirty || committed.Head == clean.Head || changed(dirty, committed) != "" || changed(clean, committed) != "a.nix" {
		t.Errorf("%+v", committed)
	}

	for what, edit := range map[string]func(){
		"add":     func() { r.git("add", "untracked.nix") },
		"delete":  func() { os.Remove(r.path("a.nix")) },
		"mode":    func() { os.Chmod(r.path("a.nix"), 0o700) },
		"symlink": func() { os.Remove(r.path("a.nix")); os.Symlink("flake.nix", r.path("a.nix")) },
		"lock":    func() { r.write("flake.lock", `{"root":"root","nodes":{"root":{}}}`); r.git("add", "flake.lock") },
		"rename":  func() { r.git("mv", "a.nix", "z.nix") },
		"flake":   func() { r.write("flake.nix", "{ outputs = { self }: { a = 1; }; }") },
	} {
		edit()
		if r.read().Shape() == committed.Shape() {
			t.Errorf("%s: the same shape", what)
		}
		r.git("reset", "-q", "--hard")
	}
	if again := r.read(); again.Fingerprint() != committed.Fingerprint() {
		t.Error("reset is another tree")
	}
}

// A change that keeps size and time of last change is seen all the same.
func TestHiddenChanges(t *testing.T) {
	r := newRepo(t)
	long := time.Now().Add(-time.Hour)
	for _, f := range []string{"a.nix", "flake.nix", "dir/b.nix"} {
		os.Chtimes(r.path(f), long, long)
	}
	r.git("update-index", "--refresh")
	r.write("dir/b.nix", "dirty")
	before := r.read()
	r.write("a.nix", "4")
	os.Chtimes(r.path("a.nix"), long, long)
	if got := changed(before, r.read()); got != "a.nix" {
		t.Errorf("same size and time: %q", got)
	}

	// Git is told to look away.
	r.git("checkout", "-q", ".")
	for _, flag := range []string{"assume-unchanged", "skip-worktree"} {
		r.git("update-index", "--"+flag, "a.nix")
		before = r.read()
		r.write("a.nix", "5")
		if after := r.read(); !after.Uncertain || changed(before, after) != "a.nix" {
			t.Errorf("%s: %q", flag, changed(before, after))
		}
		r.git("update-index", "--no-"+flag, "a.nix")
		r.git("checkout", "-q", ".")
	}
	r.git("config", "core.fileMode", "false")
	before = r.read()
	os.Chmod(r.path("a.nix"), 0o700)
	if after := r.read(); changed(before, after) != "a.nix" {
		t.Errorf("core.fileMode: %q", changed(before, after))
	}
}

// With filters Nix and Git may not agree on what is clean: contents are then
// those of the repository and of the work tree.
func TestFilters(t *testing.T) {
	r := newRepo(t)
	r.write(".gitattributes", "*.txt linguist-vendored diff\n# text\n*.text merge=union -filter\nsecrets/*.age binary\nsecrets/*.age -text -crlf !eol\n")
	r.commit()
	if r.read().Uncertain {
		t.Error("attributes that convert nothing make it uncertain")
	}
	r.git("config", "filter.up.clean", "tr a-z A-Z")
	r.git("config", "filter.up.smudge", "cat")
	r.write("dir/.gitattributes", "*.txt filter=up\n")
	r.write("dir/data.txt", "abc")
	r.commit()
	before := r.read()
	if !before.Uncertain || before.Dirty {
		t.Fatalf("%+v", before)
	}
	r.write("dir/data.txt", "aBc")
	after := r.read()
	if after.Dirty || changed(before, after) != "dir/data.txt" {
		t.Errorf("dirty %v, changed %q", after.Dirty, changed(before, after))
	}
	os.Remove(r.path("a.nix"))
	if gone := r.read(); gone.Shape() == after.Shape() {
		t.Error("a file that is gone leaves the shape as it was")
	}
	r.git("checkout", "-q", "--", "a.nix")
	os.Remove(r.path("dir/.gitattributes")) // read by Git also when untracked
	r.git("rm", "-q", "--cached", "dir/.gitattributes")
	r.git("commit", "-q", "-m", "z")
	r.write("dir/.gitattributes", "*.txt filter=up\n")
	if !r.read().Uncertain {
		t.Error("untracked attributes are not seen")
	}
}

// Lines end as they do in the repository, unless somebody has put carriage returns into the work
// tree that Git is to take out.
func TestAutoText(t *testing.T) {
	r := newRepo(t)
	r.write(".gitattributes", "* text=auto\n*.sh text=auto eol=lf\n")
	r.write("run.sh", "1\n2\n")
	r.commit()
	tree := r.read()
	commit, err := ReadCommit(t.Context(), r.dir, r.rev("HEAD"))
	if err != nil || tree.Uncertain || tree.Doubt != "" || commit.Fingerprint() != tree.Fingerprint() {
		t.Fatalf("%+v\n%+v, %v", tree, commit, err)
	}
	r.write("run.sh", "1\r\n2\r\n")
	if tree := r.read(); !tree.Uncertain || tree.Doubt != "" || !tree.Split() {
		t.Errorf("%+v", tree)
	}
	r.git("add", "-u") // where nothing is left of it
	if tree := r.read(); !tree.Uncertain || tree.Dirty || tree.Doubt != "" || !tree.Split() {
		t.Errorf("%+v", tree)
	}
	r.write("a.nix", "other")
	if tree := r.read(); !tree.Uncertain || !tree.Dirty {
		t.Errorf("%+v", tree)
	}
	for _, line := range []string{"*.sh eol=lf", "* text=auto eol=crlf", "* text", "*.md text=auto ident", "[attr]x filter=y", `"a b" crlf=input`, "* working-tree-encoding=UTF-16", "* export-subst"} {
		if certain, _ := converts("# -\n  " + line + "\n"); !certain {
			t.Errorf("%q converts nothing", line)
		}
	}
}

// Once a filter is gone Git goes on taking files for unchanged that it has put there through
// it, until it has a reason to look; Nix need not.
func TestFilterThatIsGone(t *testing.T) {
	r := newRepo(t)
	r.git("config", "filter.big.clean", "sed s/^/pointer:/")
	r.git("config", "filter.big.smudge", "sed s/^pointer://")
	r.write(".gitattributes", "*.txt filter=big\n")
	r.write("data.txt", "abc\n")
	past := time.Now().Add(-time.Minute)
	os.Chtimes(r.path("data.txt"), past, past)
	r.commit()
	r.write(".gitattributes", "")
	r.git("commit", "-q", "-m", "x", ".gitattributes")
	cache := filepath.Join(t.TempDir(), "stat")
	doubts := func(want string) {
		t.Helper()
		if tree, err := Read(t.Context(), Options{Dir: r.dir, Cache: cache}); err != nil || !strings.HasPrefix(tree.Doubt, want) || want == "" && tree.Doubt != "" {
			t.Errorf("%v, %+v, want %q", err, tree, want)
		}
	}
	doubts("Git takes data.txt for unchanged")
	r.write("other", "")
	r.git("add", "other")
	doubts("Git takes data.txt for unchanged")
	os.Remove(r.path("data.txt"))
	r.git("checkout", "-q", "--", "data.txt")
	doubts(DoubtOfCommit)
	r.commit()
	doubts("")
}

// A tree in which only a submodule is edited is clean to Nix, which reads what is committed of it,
// and one in which something else is edited besides is not: then it reads what is there.
func TestEditedSubmodule(t *testing.T) {
	mod, r := newRepo(t), newRepo(t)
	r.write("flake.nix", "{ inputs.self.submodules = true; outputs = { self }: { }; }")
	r.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", mod.dir, "mod")
	r.commit()
	committed := r.read()
	r.write("mod/a.nix", "edited")
	edited := r.read()
	if edited.Dirty || !edited.Uncertain || changed(committed, edited) != "mod" {
		t.Errorf("dirty %v, uncertain %v, changed %q", edited.Dirty, edited.Uncertain, changed(committed, edited))
	}
	r.write("a.nix", "edited")
	if both := r.read(); !both.Dirty || !both.Uncertain {
		t.Errorf("dirty %v, uncertain %v", both.Dirty, both.Uncertain)
	}
}

// What is edited between Git's answer and the look at the files is no mistake of Git's.
func TestEditedMeanwhile(t *testing.T) {
	r := newRepo(t)
	tree := r.read()
	r.write("a.nix", "other")
	cache := filepath.Join(t.TempDir(), "stat")
	if err := tree.hashWorkTree(t.Context(), &statCache{file: cache}); err != nil {
		t.Fatal(err)
	}
	if !tree.Dirty || tree.Doubt != "" || Mistaken(cache, tree.Head) {
		t.Errorf("dirty %v, doubt %q", tree.Dirty, tree.Doubt)
	}
}

// Where no snapshot can stand for what Nix sees there is none.
func TestOff(t *testing.T) {
	r := newRepo(t)
	r.write("flake.nix", "{ inputs.x.url = \"x\"; outputs = { self, x }: { }; }")
	r.off("no flake.lock")
	r.write("flake.lock", "{")
	r.off("no flake.lock") // not tracked
	r.git("add", ".")
	r.off("cannot be read")
	lock := func(node string) {
		r.write("flake.lock", `{"root":"root","nodes":{"root":{"inputs":{"x":"x"}},"x":{"locked":`+node+`}}}`)
	}
	lock(`{"type":"github","narHash":"sha256-x"}`)
	r.off("the input x is not locked")
	lock(`{"type":"tarball"}`)
	r.off("the input x is not locked")
	lock(`{"type":"path","path":"../x"}`)
	r.off("outside of the flake's source tree")
	lock(`{"type":"path","path":"./dir"}`)
	if got := r.read().Subflakes; !slices.Equal(got, []string{"dir"}) {
		t.Errorf("subflakes %v", got)
	}
	lock(`{"type":"path","path":"./."}`)
	if got := r.read().Subflakes; !slices.Equal(got, []string{""}) {
		t.Errorf("subflakes %q, not the whole tree", got)
	}
	lock(`{"type":"github","rev":"1","narHash":"sha256-x"}`)
	r.read()

	outside := t.TempDir()
	lock(fmt.Sprintf(`{"type":"path","path":%q,"narHash":"sha256-x"}`, outside))
	before := r.read()
	os.WriteFile(filepath.Join(outside, "f"), nil, 0o600)
	if after := r.read(); after.Fingerprint() == before.Fingerprint() || after.Shape() == before.Shape() {
		t.Error("an input that is a directory does not count")
	}

	r.git("checkout", "-q", ".")
	os.Remove(r.path("dir/b.nix"))
	os.Remove(r.path("dir"))
	os.Symlink(outside, r.path("dir"))
	r.off("dir is a symlink now")
	os.Remove(r.path("dir"))
	r.git("reset", "-q", "--hard")
	os.Remove(r.path("a.nix"))
	os.Mkdir(r.path("a.nix"), 0o700)
	r.off("a.nix is tracked, but is not a file")
	os.Remove(r.path("a.nix"))
	r.git("reset", "-q", "--hard")

	r.git("checkout", "-q", "-b", "other")
	r.write("a.nix", "other")
	r.commit()
	r.git("checkout", "-q", "main")
	r.write("a.nix", "ours")
	r.commit()
	if _, err := proc.Run(t.Context(), proc.Cmd{Argv: []string{"git", "merge", "-q", "other"}, Dir: r.dir}); err == nil {
		t.Fatal("no conflict")
	}
	r.off("a.nix is in conflict")

	t.Setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
	r.off("which belongs to another user")
}

// Worktrees, submodules, shallow clones, flakes in a subdirectory, and a hook's
// environment.
func TestOtherPlaces(t *testing.T) {
	r := newRepo(t)
	whole := r.read()

	t.Setenv("GIT_DIR", "/nonexistent")
	t.Setenv("GIT_INDEX_FILE", "/nonexistent")
	if r.read().Fingerprint() != whole.Fingerprint() {
		t.Error("a hook's environment changes what is seen")
	}
	os.Unsetenv("GIT_DIR")
	os.Unsetenv("GIT_INDEX_FILE")

	wt := filepath.Join(t.TempDir(), "wt")
	r.git("worktree", "add", "-q", "--detach", wt)
	if other := (repo{t, wt}).read(); other.Fingerprint() != whole.Fingerprint() {
		t.Error("a worktree of the same commit is another tree")
	}

	r.commit()
	clone := repo{t, filepath.Join(t.TempDir(), "clone")}
	r.git("clone", "-q", "--depth=1", "file://"+r.dir, clone.dir)
	shallow := clone.read()
	if shallow.Head == r.read().Head || shallow.Dirty {
		t.Errorf("a shallow clone is like a whole one: %q", shallow.Head)
	}

	r.write("sub/flake.nix", "{ outputs = { self }: { }; }")
	r.commit()
	sub, err := Read(t.Context(), Options{Dir: r.path("sub")})
	if err != nil || sub.Root != r.dir || sub.Dir != "sub" || len(sub.Entries) != 4 {
		t.Errorf("%v: %+v", err, sub)
	}

	r.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "file://"+clone.dir, "module")
	r.commit()
	before := r.read()
	r.write("module/a.nix", "in the submodule")
	if after := r.read(); after.Uncertain || after.Fingerprint() != before.Fingerprint() {
		t.Errorf("submodules are followed although the flake does not ask for them: %q", changed(before, after))
	}
	r.git("rm", "-q", "--cached", "module")
	if after := r.read(); after.Uncertain || after.Fingerprint() != before.Fingerprint() {
		t.Error("a submodule that is removed counts")
	}
	r.git("reset", "-q")
	if err := os.Rename(r.path("module"), r.path("aside")); err != nil {
		t.Fatal(err)
	}
	r.write("module", "which Nix sees")
	r.off("the submodule module is a file now")
	if err := errors.Join(os.Remove(r.path("module")), os.Rename(r.path("aside"), r.path("module"))); err != nil {
		t.Fatal(err)
	}
	r.write("flake.nix", "{ inputs.self.submodules = true; outputs = { self }: { }; }")
	r.commit()
	before = r.read()
	r.write("module/a.nix", "changed again")
	if after := r.read(); changed(before, after) != "module" {
		t.Errorf("submodules: %q", changed(before, after))
	}
}

// Outside of Git everything counts, empty directories and times as well.
func TestPathTree(t *testing.T) {
	r := repo{t, t.TempDir()}
	r.write("flake.nix", "{ outputs = { self }: { }; }")
	long := time.Now().Add(-time.Hour)
	os.Chtimes(r.path("flake.nix"), long, long)
	os.Chtimes(r.dir, long, long)
	before := r.read()
	if before.Git || before.Head == "" || len(before.Entries) != 1 {
		t.Fatalf("%+v", before)
	}
	os.Mkdir(r.path("empty"), 0o700)
	after := r.read()
	if after.Shape() == before.Shape() || after.Head == before.Head {
		t.Error("an empty directory does not count")
	}
	if files, _, err := Untracked(t.Context(), r.dir); files != nil || err != nil {
		t.Errorf("untracked: %v, %v", files, err)
	}
}

// Outside of Git what is kept within the flake's directory would change it.
func TestPathTreeWithItsOwnState(t *testing.T) {
	r := repo{t, t.TempDir()}
	r.write("flake.nix", "{ outputs = { self }: { }; }")
	elsewhere := t.TempDir()
	os.Symlink(r.dir, filepath.Join(elsewhere, "link"))
	os.Symlink(elsewhere, r.path("link"))
	for cache, ok := range map[string]bool{
		"": true, filepath.Join(elsewhere, "state/stat"): true, r.path("link/state/stat"): true, r.dir + "-2/stat": true,
		r.path("state/stat"): false, filepath.Join(elsewhere, "link/state/stat"): false,
	} {
		_, err := Read(t.Context(), Options{Dir: r.dir, Cache: cache})
		var o *OffError
		if ok && err != nil || !ok && !errors.As(err, &o) {
			t.Errorf("%s: %v", cache, err)
		}
	}
	r.git("init", "-q")
	if _, err := Read(t.Context(), Options{Dir: r.dir, Cache: r.path("state/stat")}); err != nil {
		t.Error(err)
	}
}

// A change that was undone leaves its trace.
func TestStamp(t *testing.T) {
	r := newRepo(t)
	tree := r.read()
	stamp := func() Stamp {
		s, err := tree.Stamp()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	before := stamp()
	if !before.Same(stamp()) {
		t.Error("it changes by itself")
	}
	if i := slices.IndexFunc(tree.Entries, func(e Entry) bool { return e.Path == "a.nix" }); before.Sizes[i] != 1 {
		t.Errorf("sizes %v", before.Sizes)
	}
	info, _ := os.Stat(r.path("a.nix"))
	r.write("a.nix", "9")
	r.write("a.nix", "1")
	os.Chtimes(r.path("a.nix"), info.ModTime(), info.ModTime())
	if before.Same(stamp()) {
		t.Error("a change and its reversal leave no trace")
	}
	before = stamp()
	r.git("commit", "-q", "--allow-empty", "-m", "x")
	r.git("reset", "-q", "--soft", "HEAD~1")
	if before.Same(stamp()) {
		t.Error("a commit and its reversal leave no trace")
	}
}

func FuzzDecode(f *testing.F) {
	t := (&Tree{Git: true, Head: "h", Entries: []Entry{{"a", ModeFile, "1"}}, Outside: []Outside{{"/x", "y"}}, Subflakes: []string{"s"}}).seal()
	f.Add(t.Encode(), t.Fingerprint())
	f.Fuzz(func(t *testing.T, data []byte, fingerprint string) {
		Decode(data, fingerprint)
		tree, err := Decode(data, sum(data))
		if err != nil {
			return
		}
		if again, err := Decode(tree.Encode(), tree.Fingerprint()); err != nil || len(again.Entries) != len(tree.Entries) {
			t.Errorf("%v: %+v", err, tree)
		}
	})
}

// BenchmarkRead is a snapshot of 5,000 files: clean, dirty, and dirty for the
// first time, when every file is hashed. After each, `git status` takes its turn:
// x-git-status is the median ratio of the two, which a busy machine leaves alone.
func BenchmarkRead(b *testing.B) {
	dir := b.TempDir()
	run := func(argv ...string) {
		if _, err := proc.Run(b.Context(), proc.Cmd{Argv: argv, Dir: dir}); err != nil {
			b.Fatal(err)
		}
	}
	run("git", "init", "-q")
	long := time.Now().Add(-time.Hour)
	for i := range 5000 {
		name := filepath.Join(dir, fmt.Sprintf("d%d/e%d/f%d.nix", i/500, i/50%10, i))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(strings.Repeat(fmt.Sprintln("line", i), 40)), 0o600); err != nil {
			b.Fatal(err)
		}
		os.Chtimes(name, long, long)
	}
	if err := os.WriteFile(filepath.Join(dir, "flake.nix"), []byte("{ outputs = { self }: { }; }"), 0o600); err != nil {
		b.Fatal(err)
	}
	run("git", "add", ".")
	run("git", "-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "-q", "-m", "x")
	time.Sleep(3 * time.Second) // until the change times of the files count
	cache := filepath.Join(b.TempDir(), "stat")
	read := func(forget bool) func(*testing.B) {
		return func(b *testing.B) {
			var ratios []float64
			for b.Loop() {
				b.StopTimer()
				if forget {
					os.Remove(cache)
				}
				b.StartTimer()
				began := time.Now()
				if _, err := Read(b.Context(), Options{Dir: dir, Cache: cache}); err != nil {
					b.Fatal(err)
				}
				took := time.Since(began)
				b.StopTimer()
				began = time.Now()
				run("git", "status", "--porcelain=v2", "-z", "-uno")
				ratios = append(ratios, float64(took)/float64(time.Since(began)))
				b.StartTimer()
			}
			slices.Sort(ratios)
			b.ReportMetric(ratios[len(ratios)/2], "x-git-status")
		}
	}
	b.Run("clean", read(false))
	tree, err := Read(b.Context(), Options{Dir: dir, Cache: cache})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("touched", func(b *testing.B) { // what watching costs, each time it looks
		for b.Loop() {
			if _, err := tree.Touched(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("commit", func(b *testing.B) {
		for b.Loop() {
			if _, err := ReadCommit(b.Context(), dir, tree.Head); err != nil {
				b.Fatal(err)
			}
		}
	})
	if err := os.WriteFile(filepath.Join(dir, "flake.nix"), []byte("{ outputs = { self }: { a = 1; }; }"), 0o600); err != nil {
		b.Fatal(err)
	}
	b.Run("dirty-cold", read(true))
	b.Run("dirty-warm", read(false))
}

// What is not tracked is named by its path in the repository, wherever the flake is;
// what is ignored is not, nor what is only intended to be added, which Nix sees.
func TestUntracked(t *testing.T) {
	r := newRepo(t)
	r.write(".gitignore", "*.tmp")
	r.commit()
	before := r.read()
	r.write("dir/é x.conf", "")
	r.write("dir/x.tmp", "")
	r.write("intended", "")
	r.git("add", "-N", "intended")
	files, flake, err := Untracked(t.Context(), r.dir+"/dir")
	if err != nil || flake != "dir" || !slices.Equal(files, []string{"dir/é x.conf"}) {
		t.Errorf("%q below %q, %v", files, flake, err)
	}
	after := r.read()
	if got := changed(before, after); got != "intended" || !after.Dirty {
		t.Errorf("%s: %+v", got, after)
	}
	r.write("intended", "other")
	if again := r.read(); again.Fingerprint() == after.Fingerprint() {
		t.Error("the contents of what is intended to be added do not count")
	}
}

// That there is no Git is said once.
func TestNoGit(t *testing.T) {
	r := newRepo(t)
	t.Setenv("PATH", t.TempDir())
	var off *OffError
	if _, err := Read(t.Context(), Options{Dir: r.dir}); !errors.As(err, &off) || err.Error() != "git is not installed or not in PATH" {
		t.Error(err)
	}
}

// What is fetched over ssh is known from its address.
func TestOverSSH(t *testing.T) {
	for address, want := range map[string]bool{
		"ssh://git@example.org/x": true, "git+ssh://example.org/x": true, "git@example.org:x/y.git": true, "example.org:x": true,
		"https://example.org/x": false, "file:///x": false, "/x:y": false, "": false,
	} {
		if overSSH.MatchString(address) != want {
			t.Errorf("%q: %v", address, !want)
		}
	}
	r := newRepo(t)
	const sum = `"narHash": "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "rev": "1"`
	r.write("flake.nix", "{ inputs.x = { }; outputs = _: { }; }")
	r.write("flake.lock", `{ "root": "root", "nodes": { "root": { }, "a": { "locked": { "type": "git", "url": "ssh://example.org/a", `+sum+` } }, "b": { "locked": { "type": "git", "url": "https://example.org/a", `+sum+` } } } }`)
	r.commit()
	if tree := r.read(); len(tree.Inputs) != 2 || len(tree.OverSSH) != 1 {
		t.Errorf("%+v", tree)
	}
}
