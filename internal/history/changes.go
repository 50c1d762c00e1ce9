package history

import (
	"cmp"
	"slices"

	"github.com/nixflotilla/flotilla/fleet"
)

// Changes are a fleet.Difference, for as long as a run's details are kept.
type Changes struct {
	// Packages are those that were added, removed or changed; of many, those with
	// versions and the largest. More counts the others.
	Packages []Package `json:"packages,omitempty"`
	More     int       `json:"more,omitempty"`
	// Unknown says why packages are not known; "" if they are.
	Unknown string `json:"unknown,omitempty"`
	// OldSize and NewSize are the closures' sizes, in bytes of NAR; 0 if they are not
	// known.
	OldSize int64 `json:"old_size,omitempty"`
	NewSize int64 `json:"new_size,omitempty"`
	// Stop, Restart, Reload, Start and Keep are units; see fleet.UnitChanges.
	Stop    []string `json:"stop,omitempty"`
	Restart []string `json:"restart,omitempty"`
	Reload  []string `json:"reload,omitempty"`
	Start   []string `json:"start,omitempty"`
	Keep    []string `json:"keep,omitempty"`
}

// Package is a fleet.PackageChange: without Old it was added, without New removed.
type Package struct {
	// Name is its name, Old and New are its versions; one of "" is that of a path
	// without.
	Name string   `json:"name"`
	Old  []string `json:"old,omitempty"`
	New  []string `json:"new,omitempty"`
	// OldSize and NewSize are in bytes of NAR.
	OldSize int64 `json:"old_size,omitempty"`
	NewSize int64 `json:"new_size,omitempty"`
}

// mostPackages is how many packages of a host are kept, and mostUnits how many units of
// each kind.
const mostPackages, mostUnits = 200, 100

func changesOf(d *fleet.Difference) *Changes {
	if d == nil {
		return nil
	}
	c := &Changes{
		Unknown: d.PackagesUnknown, OldSize: d.Packages.OldSize, NewSize: d.Packages.NewSize,
		Stop: first(d.Units.Stop), Restart: first(d.Units.Restart), Reload: first(d.Units.Reload), Start: first(d.Units.Start), Keep: first(d.Units.Keep),
	}
	for _, p := range slices.Concat(d.Packages.Added, d.Packages.Removed, d.Packages.Changed) {
		c.Packages = append(c.Packages, Package{p.Name, p.OldVersions, p.NewVersions, p.OldSize, p.NewSize})
	}
	if len(c.Packages) > mostPackages {
		c.More = len(c.Packages) - mostPackages
		slices.SortStableFunc(c.Packages, func(a, b Package) int {
			if a, b := a.versioned(), b.versioned(); a != b {
				if a {
					return -1
				}
				return 1
			}
			return cmp.Compare(max(b.OldSize, b.NewSize), max(a.OldSize, a.NewSize))
		})
		c.Packages = c.Packages[:mostPackages]
	}
	slices.SortStableFunc(c.Packages, func(a, b Package) int { return cmp.Compare(a.Name, b.Name) })
	return c
}

// versioned reports whether its versions differ, and so whether people look for it.
func (p Package) versioned() bool {
	return !slices.Equal(p.Old, p.New) && slices.ContainsFunc(slices.Concat(p.Old, p.New), func(v string) bool { return v != "" })
}

func first(units []string) []string { return units[:min(len(units), mostUnits)] }

// Diff is what is known of the packages again.
func (c *Changes) Diff() fleet.PackageDiff {
	d := fleet.PackageDiff{OldSize: c.OldSize, NewSize: c.NewSize}
	for _, p := range c.Packages {
		change := fleet.PackageChange{Name: p.Name, OldVersions: p.Old, NewVersions: p.New, OldSize: p.OldSize, NewSize: p.NewSize}
		switch {
		case p.Old == nil:
			d.Added = append(d.Added, change)
		case p.New == nil:
			d.Removed = append(d.Removed, change)
		default:
			d.Changed = append(d.Changed, change)
		}
	}
	return d
}

// Units is what is known of the units again.
func (c *Changes) Units() fleet.UnitChanges {
	return fleet.UnitChanges{Stop: c.Stop, Restart: c.Restart, Reload: c.Reload, Start: c.Start, Keep: c.Keep}
}
