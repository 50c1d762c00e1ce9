package ui

import (
	"fmt"
	"io"
	"strings"

	"github.com/nixflotilla/flotilla/fleet"
)

// Differences writes each host's part of a plan in full: every package and
// every unit.
func Differences(w io.Writer, r *fleet.Report) {
	for i, res := range r.Results {
		if i > 0 {
			fmt.Fprintln(w)
		}
		Difference(w, res)
	}
}

// Difference writes what deploying would change on one host, in full.
func Difference(w io.Writer, res fleet.Result) { difference(newScreen(w), res, true) }

// difference writes what deploying would change on a host and what it would
// take: in full, or the most interesting of it in about twenty lines.
func difference(s screen, res fleet.Result, full bool) {
	d := res.Difference
	fmt.Fprintf(s.w, "%s: %s\n", s.paint(bold, res.Host.Name), s.paint(outcomeColor(res.Outcome), planWordOf(res)))
	s.item("", "", planReason(res))
	if d == nil || res.Outcome == fleet.Unchanged {
		return
	}
	rows, rebuilt := packageRows(d.Packages, full)
	hidden := 0
	if !full {
		rows, hidden = mostInteresting(rows, packagesShown)
	}
	s.packages(rows)
	switch {
	case hidden > 0 && res.Generation != nil:
		s.item("", "", fmt.Sprintf("… and %d more", hidden))
	case hidden > 0:
		s.item("", "", fmt.Sprintf("… and %d more; `diff %s` lists all", hidden, res.Host.Name))
	}
	p := d.Packages
	s.item("", "packages:", fmt.Sprintf("%d added, %d removed, %d changed, %d rebuilt; closure %s",
		len(p.Added), len(p.Removed), len(p.Changed)-rebuilt, rebuilt, closureText(p)))
	s.units(d, full)
	if res.Generation == nil {
		s.item("", builtWhere(res), buildText(res.Build))
		s.item("", "copy:", copyText(d))
	}
	if d.Held != "" {
		s.item(red, "!", "locked for now: "+d.Held)
	}
	if d.NoRoom() {
		s.item(red, "!", "the host's store has no room for that: deploying fails before anything is copied")
	}
	if len(d.Inhibitors) > 0 {
		s.item(yellow, "!", "it would be staged for the next boot, because of switch inhibitors: "+inhibitorsText(d.Inhibitors))
	}
	if len(d.Reboot) > 0 {
		s.item(yellow, "!", "a reboot would be needed for: "+rebootText(d.Reboot, true))
	}
}

// builtWhere is what the text on a host's build begins with.
func builtWhere(res fleet.Result) string {
	if res.BuiltOn == "" {
		return "here:"
	}
	return "on " + plain(res.BuiltOn) + ":"
}

// packagesShown and unitsShown are how many packages, and units of each kind,
// the short form of a plan lists.
const (
	packagesShown = 10
	unitsShown    = 6
)

// packages writes a row for each.
func (s screen) packages(rows []packageRow) {
	name, text := 0, 0
	for _, r := range rows {
		name, text = max(name, len(r.name)), max(text, len([]rune(r.text)))
	}
	if s.width > 0 {
		const size = len("+1023.9 MiB")
		name = min(name, s.width*2/5)
		text = max(min(text, s.width-len("  + ")-name-size-4), 10)
	}
	for _, r := range rows {
		color := map[string]string{"+": green, "-": red, "~": yellow}[r.mark]
		fmt.Fprintf(s.w, "  %s %s  %s  %s\n", s.paint(color, r.mark), pad(cut(r.name, name), name), pad(cut(r.text, text), text), s.paint(dim, r.size))
	}
}

// units writes what becomes of units.
func (s screen) units(d *fleet.Difference, full bool) {
	if d.UnitsUnknown != "" {
		s.item("", "units:", "not known: "+d.UnitsUnknown)
		return
	}
	if d.Units.Empty() {
		s.item("", "units:", "none would be touched")
	}
	for _, g := range unitGroups(d.Units) {
		most := len(g.units)
		if !full {
			most = min(most, unitsShown)
		}
		text := strings.Join(g.units[:most], ", ")
		if hidden := len(g.units) - most; hidden > 0 {
			text += fmt.Sprintf(" and %d more", hidden)
		}
		s.item(g.color, "units: "+g.what+":", text)
	}
}

// item writes one thing of a host below its name: a word of ours, and a text
// which may be of other programs. On a terminal it is as many lines as needed.
func (s screen) item(color, lead, text string) {
	words := strings.Fields(plain(text))
	line, columns := "  ", 2
	if lead != "" {
		line, columns = "  "+s.paint(color, lead), 2+len([]rune(lead))
		words = append([]string{""}, words...)
	}
	for i, word := range words {
		n := len([]rune(word))
		switch {
		case i == 0:
			if n > 0 {
				line, columns = line+word, columns+n
			}
		case s.width > 0 && columns+1+n > s.width:
			fmt.Fprintln(s.w, line)
			line, columns = "    "+cut(word, s.width-4), 4+n
		default:
			line, columns = line+" "+word, columns+1+n
		}
	}
	fmt.Fprintln(s.w, line)
}
