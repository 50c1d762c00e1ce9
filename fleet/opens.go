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

// watching is which evaluations are watched for what they open.
type watching int

const (
	watchVague watching = iota // of hosts whose text says too much, since it takes time
	watchNone                  // as where the kernel does not tell
	watchAll
)

// watches reports whether an evaluation of a host is to be watched for what it opens, given what is
// known of what it reads, nil for nothing: not if an input may have to be fetched over ssh, which may
// start what goes on without it.
func (s *recollection) watches(reads *readset.Result) bool {
	if s.tree == nil || s.tree.Uncertain || s.fleet.watch == watchNone || s.fleet.watch == watchVague && (reads == nil || !reads.Vague()) {
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
	if ev.Opens == nil || s.tree.Uncertain || known.contents == nil {
		return
	}
	for _, f := range r.Imports {
		if slices.Contains(f.Paths, s.tree.FlakePath(flakeName)) {
			return // a copy of the whole tree, and then flake.nix, may be the host's
		}
	}
	var names []string
	for _, f := range ev.Opens {
		for _, root := range []string{s.tree.Root + "/", nixcmd.StoreDir + "/" + known.contents[0] + "-source/"} {
			f = strings.TrimPrefix(f, root)
		}
		switch {
		case !filepath.IsAbs(f):
			names = append(names, f)
		case len(names) > 0 && s.isStrange(f):
			return
		}
	}
	files := inOrder(s.tree)
	names = evaluated(names, files, s.tree.FlakePath(flakeName), s.tree.FlakePath("flake.lock"))
	slices.Sort(names)
	names = slices.Compact(names)
	if !slices.ContainsFunc(files, func(f string) bool { _, opened := slices.BinarySearch(names, f); return !opened }) {
		return // all of them, which may have been to copy them
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
// evaluation: not what Nix compares with Git's index before it comes to the flake, nor the whole tree,
// which it puts into the store before it evaluates anything but the two files that it needs for that, and
// then goes on with the flake.
func evaluated(opened, files []string, flake, lock string) []string {
	var rest []string
	for len(opened) > 0 {
		switch copied := leadingCopies(opened, files); {
		case copied > 0 && copied < len(opened) && opened[copied] == flake:
			opened = opened[copied:]
		case opened[0] == flake || opened[0] == lock:
			rest, opened = append(rest, opened[0]), opened[1:]
		case len(rest) == 0:
			opened = opened[1:]
		default:
			return append(rest, opened...)
		}
	}
	return rest
}

// leadingCopies is how many of what was opened, from the first on, are all the files, one time or more.
func leadingCopies(opened, files []string) (n int) {
	for len(files) > 0 && len(opened)-n >= len(files) && slices.Equal(opened[n:n+len(files)], files) {
		n += len(files)
	}
	return n
}
