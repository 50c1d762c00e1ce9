package readset

import (
	"path"
	"strings"

	"github.com/nixflotilla/flotilla/internal/worktree"
)

// reshaped says how the set of paths changed, or what became of files.
func reshaped(from, to *worktree.Tree, changes []worktree.Change) string {
	var added, removed []string
	var became [len(fates)][]string
	for _, c := range changes {
		switch {
		case c.Before == worktree.Entry{}:
			added = append(added, c.Path)
		case c.After == worktree.Entry{}:
			removed = append(removed, c.Path)
		case reshapes(c):
			f := fateOf(c)
			became[f] = append(became[f], c.Path)
		}
	}
	var kinds []string
	for f, paths := range became {
		switch len(paths) {
		case 0:
		case 1:
			kinds = append(kinds, paths[0]+" "+fates[f][0])
		default:
			kinds = append(kinds, and(paths)+" "+fates[f][1])
		}
	}
	switch {
	case len(kinds) > 0:
		return strings.Join(kinds, ", and ")
	case len(added) > 0 && len(removed) > 0:
		return were(removed) + " removed and " + and(added) + " added"
	case len(added) > 0:
		return were(added) + " added"
	case len(removed) > 0:
		return were(removed) + " removed"
	case from.Dir != to.Dir || from.Git != to.Git:
		return "the flake is in another place of its repository"
	}
	return "an input outside of the flake changed"
}

// fates are what may become of a file that stays, said of one and of several.
var fates = [...][2]string{
	otherContents:       {"changed", "changed"},
	executable:          {"became executable", "became executable"},
	changedExecutable:   {"changed and became executable", "changed and became executable"},
	noExecutable:        {"is no longer executable", "are no longer executable"},
	changedNoExecutable: {"changed and is no longer executable", "changed and are no longer executable"},
	symlink:             {"is a symlink now", "are symlinks now"},
	elsewhere:           {"leads elsewhere", "lead elsewhere"},
	noSymlink:           {"is no longer a symlink", "are no longer symlinks"},
	otherKind:           {"is of another kind now", "are of another kind now"},
}

const (
	otherContents = iota
	executable
	changedExecutable
	noExecutable
	changedNoExecutable
	symlink
	elsewhere
	noSymlink
	otherKind
)

// fateOf is that of a file whose change reshapes the tree.
func fateOf(c worktree.Change) int {
	was, is := c.Before.Mode, c.After.Mode
	fate := otherKind
	switch {
	case was == worktree.ModeSymlink && is == worktree.ModeSymlink:
		return elsewhere
	case was == is:
		return otherContents
	case is == worktree.ModeSymlink:
		return symlink
	case was == worktree.ModeSymlink:
		return noSymlink
	case was == worktree.ModeFile && is == worktree.ModeExecutable:
		fate = executable
	case was == worktree.ModeExecutable && is == worktree.ModeFile:
		fate = noExecutable
	}
	if fate != otherKind && c.Before.ID != c.After.ID {
		fate++ // the same, changed
	}
	return fate
}

// reshapes reports whether a change is more than one of contents.
func reshapes(c worktree.Change) bool {
	base := path.Base(c.Path)
	return c.Before.Mode != c.After.Mode || c.After.Mode == worktree.ModeSymlink || base == "flake.nix" || base == "flake.lock"
}
