package ui

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/nixflotilla/flotilla/fleet"
)

// mostPaths is how many of a closure's paths people are shown, by each measure,
// mostPackages how many packages of a comparison. Programs get all.
const (
	mostPaths    = 12
	mostPackages = 5
)

// Analysis writes what makes a host's system as large as it is.
func Analysis(w io.Writer, res fleet.Result) {
	s, a := newScreen(w), res.Analysis
	what := "what the flake wants"
	if a.Live {
		what = "what it runs"
	}
	fmt.Fprintf(w, "%s: %s, %s\n", s.paint(bold, plain(res.Host.Name)), what, plain(fleet.Short(a.System)))
	fmt.Fprintf(w, "  closure: %s in %s\n", Bytes(a.Bytes), Count(len(a.Paths), "path"))
	for _, g := range a.Growth {
		grew(s, g)
	}
	fmt.Fprintln(w)
	largest := rest(a)
	fmt.Fprintln(w, s.paint(dim, "      SIZE       FREES  LARGEST BY THEIR OWN SIZE, AND WHAT REFERS TO THEM"))
	weights(s, largest)
	bringing := slices.DeleteFunc(largest, func(x fleet.Weight) bool { return x.Frees == x.Size })
	slices.SortStableFunc(bringing, func(x, y fleet.Weight) int { return cmp.Compare(y.Frees, x.Frees) })
	if len(bringing) > 0 {
		fmt.Fprintln(w, s.paint(dim, "\n      SIZE       FREES  LARGEST WITH WHAT ONLY THEY BRING IN"))
		weights(s, bringing)
	}
	fmt.Fprintln(w, s.paint(dim, "\n  FREES is what the closure would lose without the path: its own size, and that\n  of all that is there only because of it."))
}

// rest is all paths but the system itself, which brings in all of them.
func rest(a *fleet.Analysis) []fleet.Weight {
	return slices.DeleteFunc(slices.Clone(a.Paths), func(x fleet.Weight) bool { return x.Path == a.System })
}

func weights(s screen, list []fleet.Weight) {
	for _, x := range list[:min(mostPaths, len(list))] {
		text := plain(x.Path.Name())
		if by := referrers(x); by != "" {
			text += " ← " + by
		}
		if s.width > 0 {
			text = cut(text, max(10, s.width-24))
		}
		fmt.Fprintf(s.w, "%10s  %10s  %s\n", Bytes(x.Size), Bytes(x.Frees), text)
	}
}

// referrers is the chain to a path, from the path to the system, without the
// two.
func referrers(x fleet.Weight) string {
	var names []string
	for i := len(x.Via) - 2; i > 0; i-- {
		names = append(names, plain(x.Via[i].Name()))
	}
	return strings.Join(names, " ← ")
}

// grew writes how the system differs from another, and by which packages.
func grew(s screen, g fleet.Growth) {
	p := g.Packages
	s.item("", "", fmt.Sprintf("against %s, %s: %s; %d packages added, %d removed, %d changed", g.Name, fleet.Short(g.Against),
		signed(p.NewSize-p.OldSize), len(p.Added), len(p.Removed), len(p.Changed)))
	changes := bySize(p)
	for _, c := range changes[:min(mostPackages, len(changes))] {
		fmt.Fprintf(s.w, "    %10s  %s\n", signed(c.NewSize-c.OldSize), plain(strings.TrimSpace(c.Name+" "+movement(c))))
	}
}

// movement says how a package's versions moved.
func movement(c fleet.PackageChange) string {
	before, after := versions(c.OldVersions), versions(c.NewVersions)
	switch {
	case c.OldVersions == nil:
		return strings.TrimSpace(after + " (added)")
	case c.NewVersions == nil:
		return strings.TrimSpace(before + " (removed)")
	case before == after:
		return after
	}
	return before + " → " + after
}

// bySize are the packages that change the size, those that do so most first.
func bySize(p fleet.PackageDiff) []fleet.PackageChange {
	all := slices.Concat(p.Added, p.Removed, p.Changed)
	all = slices.DeleteFunc(all, func(c fleet.PackageChange) bool { return c.NewSize == c.OldSize })
	by := func(c fleet.PackageChange) int64 { return max(c.NewSize-c.OldSize, c.OldSize-c.NewSize) }
	slices.SortStableFunc(all, func(x, y fleet.PackageChange) int {
		return cmp.Or(cmp.Compare(by(y), by(x)), strings.Compare(x.Name, y.Name))
	})
	return all
}

func signed(n int64) string {
	if n > 0 {
		return "+" + Bytes(n)
	}
	return Bytes(n)
}

type jsonAnalysis struct {
	System string       `json:"system"`
	Live   bool         `json:"live"`
	Bytes  int64        `json:"bytes"`
	Paths  []jsonWeight `json:"paths"`
	Growth []jsonGrowth `json:"growth,omitempty"`
}

type jsonWeight struct {
	Path     string `json:"path"`
	Bytes    int64  `json:"bytes"`
	Frees    int64  `json:"frees_bytes"`
	Referrer string `json:"referrer,omitempty"`
}

type jsonGrowth struct {
	Against  string        `json:"against"`
	Name     string        `json:"name"`
	OldBytes int64         `json:"old_bytes"`
	NewBytes int64         `json:"new_bytes"`
	Added    []jsonPackage `json:"added"`
	Removed  []jsonPackage `json:"removed"`
	Changed  []jsonPackage `json:"changed"`
}

// newJSONAnalysis is nil for nil.
func newJSONAnalysis(a *fleet.Analysis) *jsonAnalysis {
	if a == nil {
		return nil
	}
	out := &jsonAnalysis{System: string(a.System), Live: a.Live, Bytes: a.Bytes, Paths: []jsonWeight{}}
	for _, x := range a.Paths {
		w := jsonWeight{Path: string(x.Path), Bytes: x.Size, Frees: x.Frees}
		if len(x.Via) > 1 {
			w.Referrer = string(x.Via[len(x.Via)-2])
		}
		out.Paths = append(out.Paths, w)
	}
	for _, g := range a.Growth {
		out.Growth = append(out.Growth, jsonGrowth{string(g.Against), g.Name, g.Packages.OldSize, g.Packages.NewSize,
			newJSONPackages(g.Packages.Added), newJSONPackages(g.Packages.Removed), newJSONPackages(g.Packages.Changed)})
	}
	return out
}
