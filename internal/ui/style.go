package ui

import (
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/nixflotilla/flotilla/fleet"
)

// screen is where text goes, and what it can show.
type screen struct {
	w     io.Writer
	color bool
	// width is the number of columns; 0 means that lines are never cut.
	width int
}

// newScreen finds out whether w is a terminal. NO_COLOR (no-color.org), and
// TERM=dumb, turn colours off.
func newScreen(w io.Writer) screen {
	s := screen{w: w}
	f, ok := w.(file)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return s
	}
	s.color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
		s.width = width
	}
	return s
}

// The colours of ECMA-48's "select graphic rendition" that are used.
const (
	dim    = "2"
	bold   = "1"
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (s screen) paint(color, text string) string {
	if !s.color || color == "" || text == "" {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

func outcomeColor(o fleet.Outcome) string {
	switch {
	case o == fleet.SwitchedNeedsReboot || o == fleet.Staged || o == fleet.Degraded || o == fleet.RolledBack || o == fleet.Skipped:
		return yellow
	case o == fleet.Unchanged:
		return dim
	case o.OK():
		return green
	}
	return red
}

// plain makes text harmless: whatever a program printed, no control character
// of it reaches a terminal or starts a line of its own, and none turns the
// direction in which the rest is written.
func plain(text string) string {
	if !strings.ContainsFunc(text, steers) && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		if n := escapeLength(text[i:]); n > 0 {
			i += n
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		i += size
		switch {
		case r == '\t' || r == '\n':
			b.WriteByte(' ')
		case steers(r) || r == utf8.RuneError:
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// steers reports whether a character is not there to be seen: control
// characters, and Unicode's own for directions, lines and paragraphs.
func steers(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp)
}

// escapeLength is the length of the control sequence (ECMA-48, 5.4) that text
// starts with, or 0.
func escapeLength(text string) int {
	if len(text) < 2 || text[0] != 0x1b || text[1] != '[' {
		return 0
	}
	for i := 2; i < len(text); i++ {
		if text[i] >= 0x40 && text[i] <= 0x7e {
			return i + 1
		}
	}
	return len(text)
}

// cut shortens text to a number of columns; runes count as one. 0 means no end.
func cut(text string, columns int) string {
	if columns <= 0 || utf8.RuneCountInString(text) <= columns {
		return text
	}
	if columns == 1 {
		return "…"
	}
	runes := []rune(text)
	return string(runes[:columns-1]) + "…"
}

// pad fills text up to a number of columns.
func pad(text string, columns int) string {
	if n := columns - utf8.RuneCountInString(text); n > 0 {
		return text + strings.Repeat(" ", n)
	}
	return text
}

// wrap makes lines of texts, each harmless and beginning a line of its own. On a
// terminal none is wider than what an indentation leaves, but for long words.
func (s screen) wrap(texts []string, indent int) []string {
	width := max(20, s.width-indent)
	var lines []string
	for _, text := range texts {
		text = plain(text)
		if s.width == 0 {
			lines = append(lines, text)
			continue
		}
		line := ""
		for word := range strings.FieldsSeq(text) {
			switch {
			case line == "":
				line = word
			case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width:
				lines = append(lines, line)
				line = word
			default:
				line += " " + word
			}
		}
		lines = append(lines, line)
	}
	return lines
}
