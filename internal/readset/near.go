package readset

import (
	"path"
	"slices"
	"strings"
)

// Near reports whether a path that is not in the tree is where the host reads: the
// path is named, or lies below a directory that is, or beside a file that was imported
// or copied. A directory ends in a slash. What lies in the root of the repository, or in
// flake, the flake's directory below it ("" for the root), is near for no other reason than
// being named: anything may lie there.
func (r *Result) Near(name, flake string) bool {
	return r.neighbours(name, flake) || r.any(func(f Facts) bool {
		above := func(p string) bool { return !isRoot(p, flake) && covers([]string{p}, name) }
		return slices.ContainsFunc(f.Paths, above) || slices.ContainsFunc(f.Under, above)
	})
}

// Beside is Near without what only lies below a directory that is named. A flake.nix that has a
// directory for each host names the one above them all, and with that the files of every host.
func (r *Result) Beside(name, flake string) bool {
	return r.neighbours(name, flake) || r.any(func(f Facts) bool { return slices.Contains(f.Paths, name) })
}

// neighbours reports whether a path lies beside a file that was imported or copied.
func (r *Result) neighbours(name, flake string) bool {
	dir := path.Dir(strings.TrimSuffix(name, "/"))
	beside := func(p string) bool { return path.Dir(p) == dir }
	if isRoot(dir, flake) {
		return false
	}
	for file := range r.Imports {
		if beside(file) {
			return true
		}
	}
	return slices.ContainsFunc(r.Copied, beside)
}

// isRoot reports whether a directory is the root of the repository or of the flake.
func isRoot(dir, flake string) bool { return dir == "" || dir == "." || dir == flake }
