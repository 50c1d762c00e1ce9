package readset

import (
	"slices"

	"github.com/nixflotilla/flotilla/internal/worktree"
)

// uncertain says why only steps between dirty trees can be judged.
func uncertain(q Question) string {
	submodule := func(e worktree.Entry) bool { return e.Mode == worktree.ModeSubmodule }
	if slices.ContainsFunc(q.From.Entries, submodule) || slices.ContainsFunc(q.To.Entries, submodule) {
		return "with submodules only dirty trees are compared"
	}
	return "files go through filters of Git, or its flags hide them"
}
