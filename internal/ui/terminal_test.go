package ui

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// terminal is as much of a terminal as the live view needs: it draws what is
// written to it on a grid, and fails the test at anything it does not know.
type terminal struct {
	t             *testing.T
	width, height int
	rows          [][]rune
	// wrapped says of each row that the next one continues it.
	wrapped      []bool
	x, y         int
	nowrap       bool
	hidden       bool
	past         []string
	writes, size int
}

func newTerminal(t *testing.T, width, height int) *terminal {
	g := &terminal{t: t, width: width, height: height}
	for range height {
		g.rows, g.wrapped = append(g.rows, nil), append(g.wrapped, false)
	}
	return g
}

func (g *terminal) Write(data []byte) (int, error) {
	g.writes++
	g.size += len(data)
	for text := string(data); text != ""; {
		r, n := utf8.DecodeRuneInString(text)
		switch {
		case strings.HasPrefix(text, "\x1b["):
			n = strings.IndexFunc(text[2:], func(r rune) bool { return r >= '@' && r <= '~' }) + 3
			g.control(text[2:n-1], text[n-1])
		case r == '\r':
			g.x = 0
		case r == '\n':
			g.wrapped[g.y] = false
			g.down()
		case r < ' ' || r == 0x7f || r == utf8.RuneError:
			g.t.Errorf("the character %q was written to the terminal", r)
		default:
			g.put(r)
		}
		text = text[n:]
	}
	return len(data), nil
}

func (g *terminal) put(r rune) {
	if g.x == g.width {
		if g.nowrap {
			g.x--
		} else {
			g.wrapped[g.y] = true
			g.down()
			g.x = 0
		}
	}
	for len(g.rows[g.y]) <= g.x {
		g.rows[g.y] = append(g.rows[g.y], ' ')
	}
	g.rows[g.y][g.x] = r
	g.x++
}

func (g *terminal) down() {
	if g.y++; g.y < g.height {
		return
	}
	g.y--
	g.past = append(g.past, string(g.rows[0]))
	g.rows, g.wrapped = append(g.rows[1:], nil), append(g.wrapped[1:], false)
}

func (g *terminal) control(arg string, final byte) {
	switch final {
	case 'm':
	case 'A':
		n, err := strconv.Atoi(arg)
		if err != nil || n < 1 {
			g.t.Errorf("cursor up by %q", arg)
		}
		g.y = max(0, g.y-n)
	case 'K':
		g.erase()
	case 'J':
		g.erase()
		for y := g.y + 1; y < g.height; y++ {
			g.rows[y], g.wrapped[y] = nil, false
		}
	case 'h', 'l':
		switch arg {
		case "?25":
			g.hidden = final == 'l'
		case "?7":
			g.nowrap = final == 'l'
		case "?2026":
		default:
			g.t.Errorf("unknown mode %q", arg)
		}
	default:
		g.t.Errorf("unknown control sequence %q", arg+string(final))
	}
}

func (g *terminal) erase() {
	row := g.rows[g.y]
	g.rows[g.y], g.wrapped[g.y] = row[:min(len(row), min(g.x, g.width-1))], false
}

// resize makes the terminal narrower or wider, and wraps its lines anew as most
// terminals do.
func (g *terminal) resize(width, height int) {
	var lines [][]rune
	cursorLine, cursorAt := 0, 0
	for y := 0; y <= g.y; y++ {
		if y == 0 || !g.wrapped[y-1] {
			lines = append(lines, nil)
		}
		last := len(lines) - 1
		if y == g.y {
			cursorLine, cursorAt = last, len(lines[last])+g.x
		}
		lines[last] = append(lines[last], g.rows[y]...)
	}
	g.rows, g.wrapped = nil, nil
	for i, l := range lines {
		for n := 0; n == 0 || n < len(l); n += width {
			if i == cursorLine && cursorAt >= n {
				g.y, g.x = len(g.rows), min(cursorAt-n, width)
			}
			g.rows = append(g.rows, slices.Clone(l[n:min(len(l), n+width)]))
			g.wrapped = append(g.wrapped, n+width < len(l))
		}
	}
	for len(g.rows) > height {
		g.past = append(g.past, string(g.rows[0]))
		g.rows, g.wrapped, g.y = g.rows[1:], g.wrapped[1:], g.y-1
	}
	for len(g.rows) < height {
		g.rows, g.wrapped = append(g.rows, nil), append(g.wrapped, false)
	}
	g.width, g.height = width, height
}

// String is what can be seen, and where the cursor is.
func (g *terminal) String() string {
	var b strings.Builder
	last := 0
	for y, row := range g.rows {
		if len(row) > 0 {
			last = y
		}
	}
	for y := range last + 1 {
		fmt.Fprintf(&b, "|%s\n", strings.TrimRight(string(g.rows[y]), " "))
	}
	return b.String()
}
