package readset

import (
	"slices"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/internal/worktree"
)

// What is read is named though files came or went besides, which nobody may read.
func TestTouchedBesideOtherPaths(t *testing.T) {
	tree := func(files ...string) *worktree.Tree {
		tree := worktree.Tree{Git: true, Head: "x"}
		for _, f := range slices.Sorted(slices.Values(files)) {
			name, id, _ := strings.Cut(f, "=")
			tree.Entries = append(tree.Entries, worktree.Entry{Path: name, Mode: worktree.ModeFile, ID: id})
		}
		return worktree.New(tree)
	}
	from := tree("a.nix=1", "flake.nix=1", "motd=1", "notes=1")
	r := &Result{Imports: map[string]Facts{"a.nix": {Paths: []string{"motd"}, Read: []string{"motd"}}, "flake.nix": {}}}
	for want, to := range map[string]*worktree.Tree{
		"motd changed":                         tree("a.nix=1", "flake.nix=1", "motd=2", "notes=2"),
		"new was added":                        tree("a.nix=1", "flake.nix=1", "motd=1", "notes=2", "new=1"),
		"motd changed, and new was added":      tree("a.nix=1", "flake.nix=1", "motd=2", "notes=2", "new=1"),
		"a.nix changed, and notes was removed": tree("a.nix=2", "flake.nix=1", "motd=2"),
		"flake.nix changed":                    tree("a.nix=1", "flake.nix=2", "motd=1", "notes=1"),
		"a.nix changed, and flake.nix changed": tree("a.nix=2", "flake.nix=2", "motd=1", "notes=1"),
	} {
		if got := Touched(Question{Base: r, From: from, To: to, Imported: func(string) bool { return false }}); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	r.Hidden = "what it reads is not known"
	if got := Touched(Question{Base: r, From: from, To: tree("a.nix=2", "flake.nix=1", "motd=2")}); got != "notes was removed" {
		t.Errorf("hidden: %q", got)
	}
}

// A host whose derivation named the place of the source depends on every file as
// long as it does. Once it does not, and has changed besides, it is as before.
func TestPlaceThatIsNamedNoMore(t *testing.T) {
	var results []*Result
	trees := map[string]*worktree.Tree{}
	at := func(r *Result) *worktree.Tree { return trees[r.Tree] }
	nobody := func(string) bool { return false }
	state := func(a, notes string) *worktree.Tree {
		return worktree.New(worktree.Tree{Git: true, Head: "x", Dirty: true, Entries: []worktree.Entry{
			{Path: "a.nix", Mode: worktree.ModeFile, ID: a}, {Path: "notes", Mode: worktree.ModeFile, ID: notes},
		}})
	}
	evaluate := func(a, notes, derivation string, whole bool) {
		tree := state(a, notes)
		r := &Result{Tree: tree.Fingerprint(), Shape: tree.Shape(), Derivation: derivation, Whole: whole, Marked: true, Imports: map[string]Facts{"a.nix": {}}}
		r.Own = Own(r.Imports, tree)
		trees[r.Tree] = tree
		Learn(results, r, at, nobody)
		results = append([]*Result{r}, results...)
	}
	predict := func(a, notes string) string {
		return Predict(Question{Base: results[0], From: at(results[0]), To: state(a, notes), Imported: nobody})
	}
	evaluate("1", "1", "one", false)
	evaluate("1", "2", "one", false)
	if why := predict("1", "3"); why != "" {
		t.Errorf("before: %s", why)
	}
	evaluate("2", "3", "two", true)
	evaluate("2", "4", "three", true)
	if why := predict("2", "5"); why != "notes changed, and it holds the flake's source" {
		t.Errorf("%q", why)
	}
	evaluate("3", "5", "four", false)
	if why := predict("3", "6"); why != "" {
		t.Errorf("after: %s", why)
	}
}

// Where Nix may read the index or the work tree, what is staged shows nothing of what
// the contents as a whole are to the host.
func TestStagedEarnsNothing(t *testing.T) {
	state := func(id string) *worktree.Tree {
		return worktree.New(worktree.Tree{Git: true, Head: "x", Dirty: true, Uncertain: true, Entries: []worktree.Entry{
			{Path: "a.nix", Mode: worktree.ModeFile, ID: "a"}, {Path: "notes", Mode: worktree.ModeFile, ID: id},
		}})
	}
	trees := map[string]*worktree.Tree{}
	result := func(tree *worktree.Tree) *Result {
		trees[tree.Fingerprint()] = tree
		r := &Result{Tree: tree.Fingerprint(), Shape: tree.Shape(), Derivation: "one", Imports: map[string]Facts{"a.nix": {Metadata: true}}}
		r.Own = Own(r.Imports, tree)
		return r
	}
	nobody := func(string) bool { return false }
	for second, want := range map[string]string{
		"2":          "notes changed, and whether it uses the flake's own hash is not known yet",
		"1:3 100644": "",
	} {
		edited, next := state("1:2 100644"), state(second)
		e, r := result(edited), result(next)
		Learn([]*Result{e}, r, func(r *Result) *worktree.Tree { return trees[r.Tree] }, nobody)
		if why := Predict(Question{Base: r, From: next, To: state("1:4 100644"), Imported: nobody}); why != want {
			t.Errorf("after %s: %q, want %q", second, why, want)
		}
	}
}

// That only dirty trees are compared is put down to what it is due to.
func TestUncertainSaysWhy(t *testing.T) {
	r := &Result{Imports: map[string]Facts{"flake.nix": {}}}
	tree := func(mode, id string, dirty bool) *worktree.Tree {
		return worktree.New(worktree.Tree{Git: true, Head: "x", Dirty: dirty, Uncertain: true, Entries: []worktree.Entry{
			{Path: "flake.nix", Mode: worktree.ModeFile, ID: "1"}, {Path: "sub", Mode: mode, ID: id},
		}})
	}
	for mode, want := range map[string]string{
		worktree.ModeSubmodule: "sub changed, and with submodules only dirty trees are compared",
		worktree.ModeFile:      "sub changed, and files go through filters of Git, or its flags hide them",
	} {
		q := Question{Base: r, From: tree(mode, "1", true), To: tree(mode, "2", false), Imported: func(string) bool { return false }}
		if got := Predict(q); got != want {
			t.Errorf("%s: %q", mode, got)
		}
	}
}
