package fleet

import (
	"slices"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/internal/worktree"
)

// What Nix opens for itself is left out: seen with 2.26 and 2.34, with and without a daemon.
func TestEvaluated(t *testing.T) {
	tree := worktree.New(worktree.Tree{Git: true, Entries: []worktree.Entry{
		{Path: "a.b", Mode: worktree.ModeFile}, {Path: "a/x", Mode: worktree.ModeExecutable}, {Path: "flake.lock", Mode: worktree.ModeFile},
		{Path: "flake.nix", Mode: worktree.ModeFile}, {Path: "link", Mode: worktree.ModeSymlink},
	}})
	files := inOrder(tree)
	all := strings.Join(files, " ")
	if all != "a/x a.b flake.lock flake.nix" {
		t.Fatalf("in order: %q", all)
	}
	for opened, want := range map[string]string{
		"":                                "",
		"a.b":                             "",
		"flake.nix a/x":                   "flake.nix a/x",
		"a.b flake.nix a/x":               "flake.nix a/x",
		"a.b flake.nix ALL flake.nix a/x": "flake.nix flake.nix a/x",
		"ALL ALL flake.nix a/x":           "flake.nix a/x",
		"flake.nix flake.lock ALL ALL flake.nix flake.lock a.b": "flake.nix flake.lock flake.nix flake.lock a.b",
		"flake.nix a/x ALL":                          "flake.nix a/x " + all, // by an expression
		"flake.nix ALL":                              "flake.nix " + all,
		"flake.nix flake.lock ALL a/x":               "flake.nix flake.lock " + all + " a/x",
		"flake.nix ALL flake.nix ALL":                "flake.nix flake.nix " + all,
		"flake.nix a/x a.b flake.lock":               "flake.nix a/x a.b flake.lock",
		"flake.nix a/x a.b flake.nix flake.lock a/x": "flake.nix a/x a.b flake.nix flake.lock a/x",
	} {
		got := evaluated(strings.Fields(strings.ReplaceAll(opened, "ALL", all)), files, "flake.nix", "flake.lock")
		if !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%q: %q, want %q", opened, got, want)
		}
	}
	if got := evaluated([]string{"flake.nix", "x"}, nil, "flake.nix", "flake.lock"); len(got) != 2 {
		t.Errorf("of a tree without files: %q", got)
	}
}
