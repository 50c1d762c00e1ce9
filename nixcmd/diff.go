package nixcmd

import (
	"maps"
	"slices"
)

// PackageChange is how the paths of one package differ between two closures.
// Names and versions are those of StorePath.Package.
type PackageChange struct {
	// Name is the package's name, without its version.
	Name string
	// OldVersions and NewVersions are sorted and without duplicates; nil where
	// the package is absent. A version of "" is that of a path without one.
	OldVersions, NewVersions []string
	// OldSize and NewSize are the sums of the package's paths, in bytes of NAR.
	OldSize, NewSize int64
}

// ClosureDiff is what differs between two closures. Each list is sorted by
// package name. The zero value says that nothing does.
type ClosureDiff struct {
	// Added and Removed are packages that only one closure has.
	Added, Removed []PackageChange
	// Changed are packages of both that differ in any path; versions and sizes
	// may nevertheless be equal, see PackageChange.
	Changed []PackageChange
	// OldPaths and NewPaths count each closure's paths, OldSize and NewSize sum
	// up their sizes in bytes of NAR.
	OldPaths, NewPaths int
	OldSize, NewSize   int64
}

// Diff compares two closures, given in any order of paths. A path that is in a
// closure twice counts once.
func Diff(before, after []PathInfo) ClosureDiff {
	var d ClosureDiff
	o, n := packagesOf(before), packagesOf(after)
	d.OldPaths, d.OldSize = o.sum()
	d.NewPaths, d.NewSize = n.sum()
	for _, name := range slices.Sorted(maps.Keys(o)) {
		switch was, is := o[name], n[name]; {
		case is == nil:
			d.Removed = append(d.Removed, change(name, was, nil))
		case !maps.Equal(was.paths, is.paths):
			d.Changed = append(d.Changed, change(name, was, is))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(n)) {
		if o[name] == nil {
			d.Added = append(d.Added, change(name, nil, n[name]))
		}
	}
	return d
}

// Empty reports whether the closures have the same paths.
func (d ClosureDiff) Empty() bool {
	return len(d.Added)+len(d.Removed)+len(d.Changed) == 0
}

// VersionsDiffer reports whether it is more than a rebuild of the same versions.
func (c PackageChange) VersionsDiffer() bool {
	return !slices.Equal(c.OldVersions, c.NewVersions)
}

// packages are a closure's paths by package name.
type packages map[string]*pathSet

// pathSet is the paths of one package.
type pathSet struct {
	paths    map[StorePath]int64 // with their sizes
	versions map[string]bool
}

func packagesOf(closure []PathInfo) packages {
	all := make(packages)
	for _, info := range closure {
		name, version := info.Path.Package()
		set := all[name]
		if set == nil {
			set = &pathSet{paths: make(map[StorePath]int64), versions: make(map[string]bool)}
			all[name] = set
		}
		set.paths[info.Path] = info.NarSize
		set.versions[version] = true
	}
	return all
}

func (all packages) sum() (paths int, size int64) {
	for _, set := range all {
		paths += len(set.paths)
		size += set.size()
	}
	return paths, size
}

func (s *pathSet) size() (sum int64) {
	for _, size := range s.paths {
		sum += size
	}
	return sum
}

func change(name string, was, is *pathSet) PackageChange {
	c := PackageChange{Name: name}
	if was != nil {
		c.OldVersions, c.OldSize = slices.Sorted(maps.Keys(was.versions)), was.size()
	}
	if is != nil {
		c.NewVersions, c.NewSize = slices.Sorted(maps.Keys(is.versions)), is.size()
	}
	return c
}
