package worktree

import (
	"path"
	"strings"
)

// readLinks finds where symlinks lead. One that leads out of the tree leads
// nowhere: Nix does not follow it.
func (t *Tree) readLinks() {
	for _, e := range t.Entries {
		if e.Mode != ModeSymlink {
			continue
		}
		target, err := t.readlink(e.Path)
		if path.IsAbs(target) {
			continue
		}
		inTree := path.Join(path.Dir(e.Path), target)
		switch {
		case inTree == ".." || strings.HasPrefix(inTree, "../"):
			continue
		case err != nil, inTree == ".", climbsBack(target):
			inTree = ""
		}
		t.Links = append(t.Links, Link{e.Path, inTree})
	}
}

// climbsBack reports whether a path goes up after it went down, which means
// something else if it went down through a symlink.
func climbsBack(target string) bool {
	down := false
	for part := range strings.SplitSeq(target, "/") {
		if part == ".." && down {
			return true
		}
		down = down || part != ".." && part != "." && part != ""
	}
	return false
}
