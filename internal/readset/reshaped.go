package readset

import (
	"path"
	"strings"

	"github.com/nixflotilla/flotilla/internal/worktree"
)

// reshaped says how the set of paths changed, or what became of files.
func reshaped(from, to *worktree.Tree, changes []worktree.Change) string {
	var added, removed []string
	var fates []fate
	of := map[fate][]string{}
	for _, c := range changes {
		switch {
		case c.Before == worktree.Entry{}:
			added = append(added, c.Path)
		case c.After == worktree.Entry{}:
			removed = append(removed, c.Path)
		case reshapes(c):
			f := fateOf(c)
			if of[f] == nil {
				fates = append(fates, f)
			}
			of[f] = append(of[f], c.Path)
		}
	}
	kinds := make([]string, len(fates))
	for i, f := range fates {
		how := f.many
		if len(of[f]) == 1 {
			how = f.one
		}
		kinds[i] = and(of[f]) + " " + how
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

// fate is what became of a file that stays, said of one and of several.
type fate struct{ one, many string }

// fateOf is that of a file whose change reshapes the tree.
func fateOf(c worktree.Change) fate {
	was, is := c.Before.Mode, c.After.Mode
	changed := ""
	if c.Before.ID != c.After.ID {
		changed = "changed and "
	}
	switch {
	case was == worktree.ModeSymlink && is == worktree.ModeSymlink:
		return fate{"leads elsewhere", "lead elsewhere"}
	case was == is:
		return fate{"changed", "changed"}
	case is == worktree.ModeSymlink:
		return fate{"is a symlink now", "are symlinks now"}
	case was == worktree.ModeSymlink:
		return fate{"is no longer a symlink", "are no longer symlinks"}
	case was == worktree.ModeFile && is == worktree.ModeExecutable:
		return fate{changed + "became executable", changed + "became executable"}
	case was == worktree.ModeExecutable && is == worktree.ModeFile:
		return fate{changed + "is no longer executable", changed + "are no longer executable"}
	}
	return fate{"is of another kind now", "are of another kind now"}
}

// reshapes reports whether a change is more than one of contents.
func reshapes(c worktree.Change) bool {
	base := path.Base(c.Path)
	return c.Before.Mode != c.After.Mode || c.After.Mode == worktree.ModeSymlink || base == "flake.nix" || base == "flake.lock"
}
