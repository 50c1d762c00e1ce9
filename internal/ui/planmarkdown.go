package ui

import (
	"fmt"
	"html"
	"strings"

	"github.com/nixflotilla/flotilla/fleet"
)

// The bounds of a plan in Markdown. A comment on GitHub holds 65,536 characters.
const (
	markdownMost     = 60_000
	markdownRows     = 40_000
	markdownHosts    = 40
	markdownPackages = 40
	markdownUnits    = 40
)

// planMarkdown is a plan as GitHub's Markdown: a table of all hosts, and
// something to unfold for each that would be deployed. Where that becomes too
// much for a comment it says what it leaves out.
func planMarkdown(r *fleet.Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### Flotilla plan: %s\n\n", markdownText(Summary(r)))
	b.WriteString("| Host | Plan | Packages | Units | Copy | Reboot | Why |\n|---|---|---|---|---|---|---|\n")
	unchanged, left := 0, 0
	for _, res := range r.Results {
		switch {
		case res.Outcome == fleet.Unchanged && len(r.Results) > markdownHosts:
			unchanged++
		case b.Len() > markdownRows:
			left++
		default:
			b.WriteString(planMarkdownRow(res))
		}
	}
	if unchanged > 0 {
		fmt.Fprintf(&b, "| %s | ✅ unchanged | | | | | |\n", Count(unchanged, "host"))
	}
	if left > 0 {
		fmt.Fprintf(&b, "| … and %d more | | | | | | |\n", left)
	}
	b.WriteByte('\n')
	left = 0
	for _, res := range r.Results {
		if res.Difference == nil || res.Outcome == fleet.Unchanged {
			continue
		}
		if details := planMarkdownDetails(res); b.Len()+len(details) <= markdownMost {
			b.WriteString(details)
		} else {
			left++
		}
	}
	if left > 0 {
		fmt.Fprintf(&b, "The details of %s are left out here; <code>diff HOST</code> has them\\.\n\n", Count(left, "host"))
	}
	return b.String()
}

func planMarkdownRow(res fleet.Result) string {
	mark := "🔄"
	switch {
	case res.Outcome == fleet.Unchanged:
		mark = "✅"
	case !res.Outcome.OK():
		mark = "❌"
	}
	var packages, units, copied, reboot string
	if d := res.Difference; d != nil && res.Outcome != fleet.Unchanged {
		packages, units = packageCount(d.Packages), unitCount(d)
		copied = fmt.Sprintf("%s, %s", Count(d.Copy.Paths, "path"), Bytes(d.Copy.Bytes))
		if d.NoRoom() {
			copied += ": ⚠️ no room"
		}
		reboot = rebootText(d.Reboot, false)
	}
	var cells []string
	reason := planReason(res)
	if d := res.Difference; d != nil && d.Held != "" {
		reason = "⚠️ locked for now: " + d.Held + "; " + reason
	}
	for _, text := range []string{packages, units, copied, reboot, reason} {
		cells = append(cells, markdownText(cut(text, 200)))
	}
	return fmt.Sprintf("| %s | %s %s | %s |\n", markdownText(res.Host.Name), mark, planWordOf(res), strings.Join(cells, " | "))
}

func planMarkdownDetails(res fleet.Result) string {
	d := res.Difference
	var b strings.Builder
	fmt.Fprintf(&b, "<details><summary><b>%s</b>: packages %s, units %s</summary>\n\n",
		html.EscapeString(plain(res.Host.Name)), packageCount(d.Packages), unitCount(d))
	rows, rebuilt := packageRows(d.Packages, false)
	rows, hidden := mostInteresting(rows, markdownPackages)
	if len(rows) > 0 {
		b.WriteString("| | Package | Version | Size |\n|---|---|---|---|\n")
	}
	for _, row := range rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", markdownText(row.mark), markdownCode(cut(row.name, 100)), markdownText(cut(row.text, 200)), markdownText(row.size))
	}
	if hidden > 0 {
		fmt.Fprintf(&b, "| | … and %d more | | |\n", hidden)
	}
	if len(rows) > 0 {
		b.WriteByte('\n')
	}
	item := func(lead, text string) {
		fmt.Fprintf(&b, "- %s%s\n", lead, text)
	}
	item("", markdownText(fmt.Sprintf("%s rebuilt in the same version; closure %s", Count(rebuilt, "package"), closureText(d.Packages))))
	switch {
	case d.UnitsUnknown != "":
		item("units: not known: ", markdownText(cut(d.UnitsUnknown, 400)))
	case d.Units.Empty():
		item("units: none would be touched", "")
	}
	if d.UnitsUnknown == "" {
		for _, g := range unitGroups(d.Units) {
			item("units: "+g.what+": ", markdownList(g.units))
		}
	}
	item(markdownText(strings.TrimSuffix(builtWhere(res), ":"))+": ", markdownText(buildText(res.Build)))
	item("copy: ", markdownText(copyText(d)))
	if d.Held != "" {
		item("⚠️ locked for now: ", markdownText(cut(d.Held, 400)))
	}
	if d.NoRoom() {
		item("⚠️ ", "the host's store has no room for that: deploying fails before anything is copied")
	}
	if len(d.Inhibitors) > 0 {
		item("⚠️ it would be staged for the next boot, because of switch inhibitors: ", markdownText(cut(inhibitorsText(d.Inhibitors), 400)))
	}
	if len(d.Reboot) > 0 {
		item("⚠️ a reboot would be needed for: ", markdownText(cut(rebootText(d.Reboot, true), 400)))
	}
	b.WriteString("\n</details>\n\n")
	return b.String()
}

// markdownList are names, the first of them if there are many.
func markdownList(names []string) string {
	shown := names[:min(len(names), markdownUnits)]
	coded := make([]string, len(shown))
	for i, name := range shown {
		coded[i] = markdownCode(cut(plain(name), 100))
	}
	text := strings.Join(coded, ", ")
	if hidden := len(names) - len(shown); hidden > 0 {
		text += fmt.Sprintf(" and %d more", hidden)
	}
	return text
}

// markdownCode is text as code. GitHub makes no mention and no link of what is
// in it.
func markdownCode(text string) string { return "<code>" + markdownText(text) + "</code>" }
