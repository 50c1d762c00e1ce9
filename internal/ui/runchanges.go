package ui

import (
	"fmt"
	"strings"

	"github.com/nixflotilla/flotilla/internal/history"
)

// pageChanges is what a run changed on a host.
type pageChanges struct {
	// Packages and Rebuilt are of packages that changed, and that were only rebuilt.
	Packages []pagePackage
	Rebuilt  []string
	Summary  string
	Unknown  string
	Units    []pageUnits
}

// Few says that the packages take little room.
func (p *pageChanges) Few() bool { return len(p.Packages) <= 12 }

type pagePackage struct{ Mark, Tone, Name, Versions, Size string }

// pageUnits are units to which the same was done.
type pageUnits struct{ What, Names string }

// didTo is a word of unitGroups once it has happened.
func didTo(what string) string {
	switch what {
	case "stop":
		return "stopped"
	case "restart", "reload", "start":
		return what + "ed"
	}
	return what
}

func newPageChanges(c *history.Changes) *pageChanges {
	if c == nil {
		return nil
	}
	p := &pageChanges{Unknown: plain(c.Unknown)}
	d := c.Diff()
	rows, rebuilt := packageRows(d, false)
	for _, r := range rows {
		tone := map[string]string{"+": "good", "-": "bad", "~": "doubtful"}[r.mark]
		p.Packages = append(p.Packages, pagePackage{r.mark, tone, r.name, r.text, r.size})
	}
	for _, change := range d.Changed {
		if !change.VersionsDiffer() {
			p.Rebuilt = append(p.Rebuilt, plain(change.Name))
		}
	}
	if c.Unknown == "" {
		p.Summary = fmt.Sprintf("%d added, %d removed, %d changed, %d rebuilt; closure %s", len(d.Added), len(d.Removed), len(d.Changed)-rebuilt, rebuilt, closureText(d))
		if c.More > 0 {
			p.Summary = fmt.Sprintf("of these, and %d more: %s", c.More, p.Summary)
		}
	}
	for _, g := range unitGroups(c.Units()) {
		p.Units = append(p.Units, pageUnits{didTo(g.what), plain(strings.Join(g.units, ", "))})
	}
	return p
}
