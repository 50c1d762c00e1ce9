package ui

import (
	"fmt"
	"io"
	"strings"

	"github.com/nixflotilla/flotilla/fleet"
)

// Difference writes what deploying would change on a host: packages, units,
// and whether a reboot would be needed.
func Difference(w io.Writer, res fleet.Result) {
	s, d := newScreen(w), res.Difference
	fmt.Fprintf(w, "%s: %s\n", s.paint(bold, res.Host.Name), plain(res.Reason))
	if res.Outcome == fleet.Unchanged {
		return
	}
	p := d.Packages
	column := 0
	for _, c := range p.Added {
		column = max(column, len(c.Name))
	}
	for _, c := range p.Removed {
		column = max(column, len(c.Name))
	}
	for _, c := range p.Changed {
		column = max(column, len(c.Name))
	}
	row := func(color, mark, name, text string, size int64) {
		sign := ""
		if size > 0 {
			sign = "+"
		}
		fmt.Fprintf(w, "  %s %s  %s  %s\n", s.paint(color, mark), pad(plain(name), column), plain(text), s.paint(dim, sign+Bytes(size)))
	}
	for _, c := range p.Added {
		row(green, "+", c.Name, versions(c.NewVersions), c.NewSize)
	}
	for _, c := range p.Removed {
		row(red, "-", c.Name, versions(c.OldVersions), -c.OldSize)
	}
	for _, c := range p.Changed {
		text := versions(c.OldVersions) + " → " + versions(c.NewVersions)
		if versions(c.OldVersions) == versions(c.NewVersions) {
			text = strings.TrimSpace(versions(c.NewVersions) + " rebuilt")
		}
		row(yellow, "~", c.Name, text, c.NewSize-c.OldSize)
	}
	fmt.Fprintf(w, "  packages: %d added, %d removed, %d changed; closure %s → %s\n",
		len(p.Added), len(p.Removed), len(p.Changed), Bytes(p.OldSize), Bytes(p.NewSize))
	unitLines(w, s, d)
	if len(d.RebootFor) > 0 {
		fmt.Fprintf(w, "  %s a reboot would be needed for: %s\n", s.paint(yellow, "!"), plain(strings.Join(d.RebootFor, ", ")))
	}
}

func versions(list []string) string {
	var named []string
	for _, v := range list {
		if v != "" {
			named = append(named, v)
		}
	}
	return strings.Join(named, ", ")
}

func unitLines(w io.Writer, s screen, d *fleet.Difference) {
	if d.UnitsUnknown != "" {
		fmt.Fprintf(w, "  units: not known: %s\n", plain(d.UnitsUnknown))
		return
	}
	if d.Units.Empty() {
		fmt.Fprintln(w, "  units: none would be touched")
	}
	for _, g := range []struct {
		color, what string
		units       []string
	}{
		{red, "stop", d.Units.Stop}, {yellow, "restart", d.Units.Restart},
		{yellow, "reload", d.Units.Reload}, {green, "start", d.Units.Start},
		{dim, "changed, but kept running", d.Units.Keep},
	} {
		if len(g.units) > 0 {
			fmt.Fprintf(w, "  units: %s: %s\n", s.paint(g.color, g.what), plain(strings.Join(g.units, ", ")))
		}
	}
}
