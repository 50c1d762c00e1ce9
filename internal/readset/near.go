package readset

import (
	"path"
	"slices"
	"strings"
)

// Near reports whether a path that is not in the tree is where the host reads: it
// is named, or below a directory that is, or in one from which a file was imported
// or copied. The repository's root and flake, the flake's directory, are no such
// directories: anything may lie there.
func (r *Result) Near(name, flake string) bool {
	if flake == "" {
		flake = "."
	}
	all := func(dir string) bool { return dir == "" || dir == "." || dir == flake }
	dir := path.Dir(strings.TrimSuffix(name, "/"))
	if !all(dir) && slices.ContainsFunc(r.Copied, func(p string) bool { return path.Dir(p) == dir }) {
		return true
	}
	for file, f := range r.Imports {
		if !all(dir) && path.Dir(file) == dir {
			return true
		}
		for _, list := range [][]string{f.Paths, f.Under} {
			if slices.ContainsFunc(list, func(p string) bool { return !all(p) && covers([]string{p}, name) }) {
				return true
			}
		}
	}
	return false
}

// Beside reports whether a path is one that the host names in full, or in a directory from
// which a file was imported or copied: who names a directory above, as a flake.nix does that
// has a directory for each host, is near what is not theirs.
func (r *Result) Beside(name, flake string) bool {
	dir := path.Dir(strings.TrimSuffix(name, "/"))
	in := func(p string) bool { return dir != "." && dir != flake && path.Dir(p) == dir }
	if slices.ContainsFunc(r.Copied, in) {
		return true
	}
	for file, f := range r.Imports {
		if in(file) || slices.Contains(f.Paths, name) {
			return true
		}
	}
	return false
}
