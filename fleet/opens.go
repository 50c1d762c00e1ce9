package fleet

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/nixflotilla/flotilla/internal/readset"
	"github.com/nixflotilla/flotilla/internal/worktree"
	"github.com/nixflotilla/flotilla/nixcmd"
)

// watches reports whether evaluations are to be watched for what they open: not if an input may have to
// be fetched over ssh, which may start what goes on without them.
func (s *recollection) watches() bool {
	if s.tree == nil || s.fleet.unwatched {
		return false
	}
	return !slices.ContainsFunc(s.tree.OverSSH, func(source string) bool {
		_, err := os.Lstat(source)
		return err != nil
	})
}

// observeOpens notes which files of the tree an evaluation has opened, if that is all that it can have
// read: not if it opened what else is in the store, as a copy of the tree that was there before.
func (s *recollection) observeOpens(r *readset.Result, ev nixcmd.Evaluation) {
	known := s.sources()
	if ev.Opens == nil || s.lazy() {
		return
	}
	place := "\x00"
	if known.contents != nil {
		place = nixcmd.StoreDir + "/" + known.contents[0] + "-source/"
	}
	var apart []string // what is in submodules is read by every host
	for _, e := range s.tree.Entries {
		if e.Mode == worktree.ModeSubmodule {
			apart = append(apart, e.Path+"/")
		}
	}
	files, flake := inOrder(s.tree), s.tree.FlakePath(flakeName)
	var names, own []string
	for _, f := range ev.Opens {
		f = strings.TrimPrefix(f, place)
		mine, inRoot := strings.CutPrefix(f, s.tree.Root+"/")
		switch {
		case inRoot: // where it is not evaluated from
			own = append(own, mine)
		case strings.HasPrefix(f, ".git/"), slices.ContainsFunc(apart, func(dir string) bool { return strings.HasPrefix(f, dir) }):
		case !filepath.IsAbs(f):
			names = append(names, f)
		case len(names) > 0 && s.isStrange(f):
			return
		}
	}
	// Until 2.26 Nix evaluates what is in the store; and a commit it takes out of Git, without opening its files.
	if s.commit == "" && !slices.Contains(own, flake) {
		names = evaluated(names, files, flake, s.tree.FlakePath("flake.lock"))
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if names == nil || !slices.ContainsFunc(files, func(f string) bool { _, opened := slices.BinarySearch(names, f); return !opened }) {
		return // or all of them, which may have been to copy them
	}
	r.Observed = true
	r.Opened = slices.DeleteFunc(names, func(name string) bool { _, imported := r.Imports[name]; return imported })
}

// isStrange reports whether a file is in the store, and neither of an input, nor a derivation, nor
// what Nix itself is made of, locks, or is writing.
func (s *recollection) isStrange(file string) bool {
	return s.isBuilt(file) && !usual.MatchString(file)
}

var usual = regexp.MustCompile(`^/nix/store/(?:tmp-[0-9-]+(?:/.*)?|[^/]+(?:\.drv|\.lock|/lib/(?:gconv/)?[^/]+\.so[0-9.]*))$`)

// inOrder are the regular files of a tree in the order in which Nix copies them to the store:
// directory by directory, by name.
func inOrder(t *worktree.Tree) []string {
	var files []string
	for _, e := range t.Entries {
		if e.Mode == worktree.ModeFile || e.Mode == worktree.ModeExecutable {
			files = append(files, e.Path)
		}
	}
	key := strings.NewReplacer("/", "\x00")
	slices.SortFunc(files, func(a, b string) int { return strings.Compare(key.Replace(a), key.Replace(b)) })
	return files
}

// evaluated are those of the files that were opened, in order, that may have been for the sake of an
// evaluation: not what Nix compares with Git's index, nor what it reads of the flake to find its inputs, nor the
// whole tree, which it then puts into the store, and goes on with the flake. Nil if it was not seen to do that,
// or what came next may have been that as well.
func evaluated(opened, files []string, flake, lock string) []string {
	for i := range opened {
		n := leadingCopies(opened[i:], files)
		if n == 0 || i+n == len(opened) || opened[i+n] != flake {
			continue
		}
		rest := opened[i+n:]
		own := slices.IndexFunc(rest, func(f string) bool { return f != flake && f != lock })
		if own >= 0 && leadingCopies(rest[own:], files) > 0 {
			return nil
		}
		return rest
	}
	return nil
}

// leadingCopies is how many of what was opened, from the first on, are all the files, one time or more.
func leadingCopies(opened, files []string) (n int) {
	for len(files) > 0 && len(opened)-n >= len(files) && slices.Equal(opened[n:n+len(files)], files) {
		n += len(files)
	}
	return n
}
