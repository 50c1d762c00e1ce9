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

// Beside is Near without what only lies below a directory that is named. A flake.nix that has a
// directory for each host names the one above them all, and with that the files of every host.
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
