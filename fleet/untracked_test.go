package fleet

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/internal/worktree"
	"github.com/nixflotilla/flotilla/nixcmd"
)

// A file that is there, but in a submodule, is not just said not to exist.
func TestAbsentInASubmodule(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"sub/.git", "sub/lib/x.nix", "dir/x.nix"} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o700), os.WriteFile(filepath.Join(root, name), nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	hint := func(message string, entries ...worktree.Entry) string {
		tree := worktree.New(worktree.Tree{Git: true, Root: root, Entries: entries})
		var hinted *hintedError
		errors.As((&recollection{tree: tree}).explainAbsent(&nixcmd.EvalError{Message: message}), &hinted)
		if hinted == nil {
			return ""
		}
		return hinted.Hint()
	}
	for message, want := range map[string]string{
		"path 'sub/lib/x.nix' does not exist":                                "sub is a repository of its own, ",
		`Path 'sub/lib/x.nix' in the repository "/r" is not tracked by Git.`: "sub is a repository of its own, ",
		"path 'dir/x.nix' does not exist":                                    "",
		"path 'sub/lib/other.nix' does not exist":                            "",
		"path '../x.nix' does not exist":                                     "",
		"path '/sub/lib/x.nix' does not exist":                               "",
	} {
		if got := hint(message); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%s: %q", message, got)
		}
	}
	if got := hint("path 'sub/lib/x.nix' does not exist", worktree.Entry{Path: "sub", Mode: worktree.ModeSubmodule}); got != "" {
		t.Errorf("asked for: %q", got)
	}
}
