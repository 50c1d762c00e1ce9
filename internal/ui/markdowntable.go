package ui

import (
	"slices"
	"strings"
	"unicode"
)

// MarkdownText is text in GitHub's Markdown, of which none is markup: what can be is
// escaped where it could be, so that it can also be read as it is.
func MarkdownText(text string) string {
	var b strings.Builder
	line := []rune(plain(text))
	for i, r := range line {
		next := ' '
		if i+1 < len(line) {
			next = line[i+1]
		}
		switch {
		case strings.ContainsRune("!\"#$&'*<>?@[\\]^_`{|}~", r),
			// What begins a list or a rule, an item's number, a bare address, or an
			// emoji's name.
			i == 0 && len(line) > 1 && strings.ContainsRune("+-=", r),
			(r == '.' || r == ')') && next == ' ' && numbered(line[:i]),
			r == '.' && unicode.IsLetter(next), r == ':' && next != ' ', r == '/' && next == '/':
			b.WriteByte('\\')
		}
		b.WriteRune(r)
		if r == '@' {
			b.WriteString("<!-- -->")
		}
	}
	return b.String()
}

// numbered reports whether a text so far is the number of an item in a list.
func numbered(before []rune) bool {
	return len(before) > 0 && !slices.ContainsFunc(before, func(r rune) bool { return r < '0' || r > '9' })
}

// MarkdownTable is a Table as GitHub's Markdown has it. A row that is shorter than
// the head has empty cells at its end.
func MarkdownTable(head []Cell, rows [][]Cell) string {
	var b strings.Builder
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	row := func(cells []Cell) {
		texts := make([]string, len(head))
		for i := range min(len(cells), len(head)) {
			texts[i] = MarkdownText(cells[i].Text)
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
