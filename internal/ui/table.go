package ui

import (
	"io"
	"strings"
	"unicode/utf8"
)

// Tone says how a cell of a Table is meant.
type Tone int

// The tones.
const (
	// Even: nothing special.
	Even Tone = iota
	// Good, Bad and Doubtful stand out; Quiet stands back.
	Good
	Bad
	Doubtful
	Quiet
)

// Cell is a cell of a Table.
type Cell struct {
	// Text is what it says; control characters are taken out.
	Text string
	// Tone is how it is meant.
	Tone Tone
	// Right aligns it to the right, as figures are.
	Right bool
}

// Table writes rows under a head, with columns as wide as their widest cell, but
// for the last, which is cut at a terminal's edge, and left out where nothing of it could
// be read. A row may have fewer cells than the head: its last one then spans the rest. An
// error is w's.
func Table(w io.Writer, head []Cell, rows [][]Cell) error {
	return newScreen(w).table(head, rows)
}

// legible is how many columns the last cell of a row needs at least.
const legible = 4

func (s screen) table(head []Cell, rows [][]Cell) error {
	widths := make([]int, len(head))
	for _, row := range append([][]Cell{head}, rows...) {
		for i, c := range row {
			if len(row) == len(head) || i < len(row)-1 {
				widths[i] = max(widths[i], utf8.RuneCountInString(plain(c.Text)))
			}
		}
	}
	var all strings.Builder
	for n, row := range append([][]Cell{head}, rows...) {
		var b strings.Builder
		at := 0
		for i, c := range row {
			text := plain(c.Text)
			last := i == len(row)-1
			switch n := widths[i] - utf8.RuneCountInString(text); {
			case c.Right && n > 0 && !(last && len(row) < len(head)):
				text = strings.Repeat(" ", n) + text
			case !last:
				text = pad(text, widths[i])
			}
			if room := s.width - at; last && s.width > 0 {
				if text = cut(text, max(1, room)); i > 0 && room < min(legible, widths[i]) {
					text = ""
				}
			}
			color := toneColor(c.Tone)
			if n == 0 {
				color = dim
			}
			b.WriteString(s.paint(color, text))
			if !last {
				b.WriteString("  ")
			}
			at += widths[i] + 2
		}
		all.WriteString(strings.TrimRight(b.String(), " ") + "\n")
	}
	_, err := io.WriteString(s.w, all.String())
	return err
}

func toneColor(t Tone) string {
	return map[Tone]string{Good: green, Bad: red, Doubtful: yellow, Quiet: dim}[t]
}

// Note writes a sentence in lines of at most 80 columns, or a terminal's; the
// second line on is indented. An error is w's.
func Note(w io.Writer, text string) error {
	s := newScreen(w)
	width := 80
	if s.width > 0 {
		width = min(width, s.width)
	}
	var all strings.Builder
	line := ""
	for word := range strings.FieldsSeq(plain(text)) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width:
			all.WriteString(line + "\n")
			line = "  " + word
		default:
			line += " " + word
		}
	}
	_, err := io.WriteString(w, all.String()+line+"\n")
	return err
}
