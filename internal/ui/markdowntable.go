package ui

import "strings"

// MarkdownText is text in GitHub's Markdown, of which none is markup.
func MarkdownText(text string) string { return markdownText(text) }

// MarkdownTable is a Table as GitHub's Markdown has it. A row that is shorter than
// the head has empty cells at its end.
func MarkdownTable(head []Cell, rows [][]Cell) string {
	var b strings.Builder
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	row := func(cells []Cell) {
		texts := make([]string, len(head))
		for i := range min(len(cells), len(head)) {
			texts[i] = markdownText(cells[i].Text)
		}
		line(texts)
	}
	rule := make([]string, len(head))
	for i, c := range head {
		if rule[i] = "---"; c.Right {
			rule[i] = "---:"
		}
	}
	row(head)
	line(rule)
	for _, r := range rows {
		row(r)
	}
	return b.String()
}
