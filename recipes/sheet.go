package recipes

import (
	"io"
	"strings"

	"github.com/nixflotilla/flotilla/internal/ui"
)

// sheet is a table with what must be known to understand it.
type sheet struct {
	// title is only for reports of several.
	title  string
	before []string
	head   []ui.Cell
	rows   [][]ui.Cell
	// after is below the table, in Markdown as a list.
	after []string
}

// text writes it for a person.
func (s sheet) text(w io.Writer) error {
	if err := noted(w, s.before); err != nil {
		return err
	}
	if err := ui.Table(w, s.head, s.rows); err != nil {
		return err
	}
	return noted(w, s.after)
}

func noted(w io.Writer, all []string) error {
	for _, n := range all {
		if err := ui.Note(w, n); err != nil {
			return err
		}
	}
	return nil
}

// markdown is the sheet as GitHub's Markdown.
func (s sheet) markdown() string {
	var b strings.Builder
	b.WriteString("## " + ui.MarkdownText(s.title) + "\n\n")
	for _, n := range s.before {
		b.WriteString(ui.MarkdownText(n) + "\n\n")
	}
	if len(s.rows) > 0 {
		b.WriteString(ui.MarkdownTable(s.head, s.rows) + "\n")
	}
	for _, n := range s.after {
		b.WriteString("- " + ui.MarkdownText(strings.TrimPrefix(n, "- ")) + "\n")
	}
	if len(s.after) > 0 {
		b.WriteString("\n")
	}
	return b.String()
}
