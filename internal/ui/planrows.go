package ui

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/nixflotilla/flotilla/fleet"
)

// packageRow is a package of a plan, as people read it. Its texts are plain.
type packageRow struct {
	mark, name, text, size string
	// rank sorts by how likely a person wants to know; see mostInteresting.
	versioned bool
	largest   int64
}

// packageRows are the packages that a plan adds, removes and changes. Those that
// are only rebuilt, in the same versions, are counted, and listed in full.
func packageRows(p fleet.PackageDiff, full bool) (rows []packageRow, rebuilt int) {
	add := func(mark string, c fleet.PackageChange, text string) {
		rows = append(rows, packageRow{
			mark: mark, name: plain(c.Name), text: plain(text), size: growth(c.NewSize - c.OldSize),
			versioned: versions(c.OldVersions)+versions(c.NewVersions) != "", largest: max(c.OldSize, c.NewSize),
		})
	}
	for _, c := range p.Added {
		add("+", c, versions(c.NewVersions))
	}
	for _, c := range p.Removed {
		add("-", c, versions(c.OldVersions))
	}
	for _, c := range p.Changed {
		if c.VersionsDiffer() {
			add("~", c, bump(c.OldVersions, c.NewVersions))
		}
	}
	for _, c := range p.Changed {
		if !c.VersionsDiffer() {
			rebuilt++
			if full {
				add("~", c, strings.TrimSpace(versions(c.NewVersions)+" rebuilt"))
			}
		}
	}
	return rows, rebuilt
}

// growth is a change of a size.
func growth(n int64) string {
	if n > 0 {
		return "+" + Bytes(n)
	}
	return Bytes(n)
}

// closureText is the size a system would have, and how much more that is.
func closureText(p fleet.PackageDiff) string {
	if p.NewSize == p.OldSize {
		return Bytes(p.NewSize)
	}
	return Bytes(p.NewSize) + " (" + growth(p.NewSize-p.OldSize) + ")"
}

// mostInteresting keeps some rows, in their order: packages with a version
// before files of the configuration, and among each the largest, which people
// know by name.
func mostInteresting(rows []packageRow, most int) (kept []packageRow, hidden int) {
	if len(rows) <= most {
		return rows, 0
	}
	order := make([]int, len(rows))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if rows[a].versioned != rows[b].versioned {
			if rows[a].versioned {
				return -1
			}
			return 1
		}
		return cmp.Compare(rows[b].largest, rows[a].largest)
	})
	order = order[:most]
	slices.Sort(order)
	for _, i := range order {
		kept = append(kept, rows[i])
	}
	return kept, len(rows) - most
}

// versionsShown is how many versions of a package are named; each of many
// outputs may count as one.
const versionsShown = 4

// versions are the first of a package's versions.
func versions(list []string) string {
	var named []string
	for _, v := range list {
		if v != "" {
			named = append(named, v)
		}
	}
	if hidden := len(named) - versionsShown; hidden > 1 {
		return fmt.Sprintf("%s and %d more", strings.Join(named[:versionsShown], ", "), hidden)
	}
	return strings.Join(named, ", ")
}

// bump is from which versions to which; of many, those that only one side has.
func bump(before, after []string) string {
	if max(len(before), len(after)) > versionsShown {
		gone := func(list, others []string) []string {
			return slices.DeleteFunc(slices.Clone(list), func(v string) bool { return slices.Contains(others, v) })
		}
		before, after = gone(before, after), gone(after, before)
	}
	return cmp.Or(versions(before), "∅") + " → " + cmp.Or(versions(after), "∅")
}

// unitGroup is units to which the same would be done.
type unitGroup struct {
	color, what string
	units       []string
}

// unitGroups are the groups that have units.
func unitGroups(u fleet.UnitChanges) []unitGroup {
	all := []unitGroup{
		{red, "stop", u.Stop}, {yellow, "restart", u.Restart}, {yellow, "reload", u.Reload}, {green, "start", u.Start},
		{green, "new", u.New},
		{dim, "changed, but kept running", u.Keep},
	}
	return slices.DeleteFunc(all, func(g unitGroup) bool { return len(g.units) == 0 })
}

// unitCount is how many units would be touched or are new, "?" if that is not known.
func unitCount(d *fleet.Difference) string {
	if d.UnitsUnknown != "" {
		return "?"
	}
	seen := map[string]bool{}
	for _, g := range unitGroups(d.Units) {
		for _, unit := range g.units {
			seen[unit] = true
		}
	}
	for _, unit := range d.Units.Keep {
		delete(seen, unit)
	}
	return fmt.Sprint(len(seen))
}

// packageCount is what becomes of packages, in a few characters.
func packageCount(p fleet.PackageDiff) string {
	_, rebuilt := packageRows(p, false)
	return fmt.Sprintf("+%d -%d ~%d", len(p.Added), len(p.Removed), len(p.Changed)-rebuilt)
}

// rebootText names what a reboot would be needed for, with versions where they
// tell more, and in full with kernel parameters.
func rebootText(parts []fleet.RebootPart, full bool) string {
	texts := make([]string, len(parts))
	told := ""
	for i, p := range parts {
		texts[i] = p.Part
		switch version := cmp.Or(p.Old, "?") + " → " + cmp.Or(p.New, "?"); {
		case p.Old+p.New == "" || version == told:
		case p.Part != "kernel-params":
			// The other parts mostly have the kernel's.
			texts[i], told = texts[i]+" "+version, version
		case full:
			for _, word := range strings.Fields(p.Old) {
				texts[i] += " -" + word
			}
			for _, word := range strings.Fields(p.New) {
				texts[i] += " +" + word
			}
		}
	}
	return plain(strings.Join(texts, ", "))
}

// inhibitorsText names what keeps a system from being switched to.
func inhibitorsText(all []fleet.SwitchInhibitor) string {
	texts := make([]string, len(all))
	for i, in := range all {
		texts[i] = fmt.Sprintf("%s %s → %s", in.Name, in.Old, in.New)
	}
	return plain(strings.Join(texts, ", "))
}

// buildText says what building took.
func buildText(b fleet.BuildWork) string {
	var parts []string
	if b.Derivations > 0 {
		parts = append(parts, Count(b.Derivations, "derivation")+" built")
	}
	if b.Paths > 0 {
		parts = append(parts, fmt.Sprintf("%s downloaded (%s unpacked)", Count(b.Paths, "path"), Bytes(b.Bytes)))
	}
	if len(parts) == 0 {
		return "nothing had to be built or downloaded"
	}
	return strings.Join(parts, ", ")
}

// copyText says what has to be copied, and where to.
func copyText(d *fleet.Difference) string {
	text := "nothing that the host has not"
	if d.Copy.Paths > 0 {
		text = fmt.Sprintf("%s, %s", Count(d.Copy.Paths, "path"), Bytes(d.Copy.Bytes))
	}
	if d.FreeBytes >= 0 {
		text += fmt.Sprintf("; %s free there", Bytes(d.FreeBytes))
	}
	return text
}

// planWord is an outcome in a plan's words.
func planWord(o fleet.Outcome) string {
	if o == fleet.Compared {
		return "to deploy"
	}
	return string(o)
}

// planWordIn is planWord for a run, whose hosts are all to be deployed or all to
// be rolled back.
func planWordIn(r *fleet.Report) func(fleet.Outcome) string {
	return func(o fleet.Outcome) string {
		i := slices.IndexFunc(r.Results, func(res fleet.Result) bool { return res.Outcome == o })
		return planWordOf(r.Results[i])
	}
}

// planWordOf is a result's outcome in a plan's words.
func planWordOf(res fleet.Result) string {
	if res.Outcome == fleet.Compared && res.Generation != nil {
		return "to roll back"
	}
	return planWord(res.Outcome)
}

// planReason is why a host would be deployed, or why not.
func planReason(res fleet.Result) string {
	if res.Outcome == fleet.Compared {
		return res.Reason
	}
	return why(res)
}

// planWhy is one sentence on a host in a plan, the news of it first.
func planWhy(res fleet.Result) string {
	d := res.Difference
	if res.Outcome != fleet.Compared || d == nil {
		return why(res)
	}
	var news []string
	if d.Held != "" {
		news = append(news, "locked for now: "+d.Held)
	}
	if d.NoRoom() {
		news = append(news, "no room in its store")
	}
	if d.UnitsUnknown != "" && !d.NoRoom() {
		news = append(news, d.UnitsUnknown)
	}
	if len(d.Inhibitors) > 0 {
		news = append(news, "staged for the next boot, for "+inhibitorsText(d.Inhibitors))
	}
	if len(d.Reboot) > 0 {
		news = append(news, "reboot for "+rebootText(d.Reboot, false))
	}
	return strings.Join(append(news, res.Reason), "; ")
}
