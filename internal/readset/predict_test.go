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
