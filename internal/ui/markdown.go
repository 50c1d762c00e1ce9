package ui

import (
	"fmt"
	"strings"

	"github.com/nixflotilla/flotilla/fleet"
)

// Markdown is a report as GitHub's Markdown, for a job's summary or a comment: a
// table, and of a plan what would change on each host. Nothing in it is markup
// because of what programs have printed.
func Markdown(r *fleet.Report) string {
	if r.Planned {
		return planMarkdown(r)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "### Flotilla: %s\n\n| Host | Outcome | Time | Why |\n|---|---|---|---|\n", markdownText(Summary(r)))
	for _, res := range r.Results {
		mark := "✅"
		if !res.Outcome.OK() {
			mark = "❌"
		}
		fmt.Fprintf(&b, "| %s | %s %s | %s | %s |\n", markdownText(res.Host.Name), mark,
			markdownText(string(res.Outcome)), Seconds(res.Duration), markdownText(cut(why(res), 400)))
	}
	return b.String() + "\n"
}

// markdownText escapes what could be markup: every ASCII punctuation character
// may be escaped (CommonMark, 2.4), and none does harm then. GitHub makes mentions
// of what is rendered, so an at sign is parted from what follows.
func markdownText(text string) string {
	var b strings.Builder
	for _, r := range plain(text) {
		if r < 0x80 && strings.ContainsRune("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
		if r == '@' {
			b.WriteString("<!-- -->")
		}
	}
	return b.String()
}
