package ui

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// The control sequences of ECMA-48 and of DEC private modes that are used. A
// terminal that does not know synchronized output (2026) ignores it.
const (
	paintBegin = "\x1b[?2026h\x1b[?25l"
	paintEnd   = "\x1b[?25h\x1b[?2026l"
	wrapOff    = "\x1b[?7l"
	wrapOn     = "\x1b[?7h"
	eraseLine  = "\x1b[K"
	eraseBelow = "\x1b[J"
)

// painter keeps the last lines of a terminal equal to a frame.
//
// Each change is one write that begins by hiding the cursor and ends by showing
// it, at the end of the frame: whatever ends the process, it leaves a terminal
// in order.
type painter struct {
	w     io.Writer
	shown []line
	width int
}

// paint writes the text above, lines that stay, over the frame shown, and the
// new frame below it. Without text only lines that differ are written, and
// nothing if none does.
func (p *painter) paint(above string, frame []line, width, height int) {
	if above == "" && width == p.width && slices.Equal(frame, p.shown) {
		return
	}
	var b strings.Builder
	b.WriteString(paintBegin)
	rows := p.home(&b, width, height)
	// What stands there is of use only if it is as wide as before, and not
	// pushed away.
	same := p.shown
	if width != p.width || above != "" {
		same = nil
		erase(&b, rows)
	}
	b.WriteString(strings.ReplaceAll(above, "\n", "\r\n") + wrapOff)
	for i, l := range frame {
		if i > 0 {
			b.WriteString("\r\n")
		}
		// The last is written in any case: the cursor is to stand at its end.
		if i >= len(same) || same[i] != l || i == len(frame)-1 {
			b.WriteString(l.text + eraseLine)
		}
	}
	if len(same) > len(frame) {
		b.WriteString(eraseBelow)
	}
	b.WriteString(wrapOn + paintEnd)
	io.WriteString(p.w, b.String())
	p.shown, p.width = frame, width
}

// clear takes the frame away, and leaves the cursor where it began.
func (p *painter) clear(width, height int) {
	if len(p.shown) == 0 {
		return
	}
	var b strings.Builder
	erase(&b, p.home(&b, width, height))
	io.WriteString(p.w, b.String())
	p.shown = nil
}

// leave lets the frame stand, and moves the cursor below it.
func (p *painter) leave() {
	if len(p.shown) > 0 {
		io.WriteString(p.w, "\r\n")
	}
	p.shown = nil
}

// home moves the cursor to the frame's beginning, and returns how many rows it
// takes. Most terminals wrap the lines they hold anew when they are made
// narrower, so that a line may be several rows by now.
func (p *painter) home(b *strings.Builder, width, height int) int {
	rows := 0
	for _, l := range p.shown {
		rows += max(1, (l.columns+width-1)/width)
	}
	rows = min(rows, height)
	b.WriteByte('\r')
	up(b, rows-1)
	return rows
}

// erase empties rows from the cursor's on, and leaves it where it is. It goes
// row by row: tmux takes erasing everything from the top left corner on for a
// cleared screen, and keeps it in its history.
func erase(b *strings.Builder, rows int) {
	for i := range rows {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(eraseLine)
	}
	up(b, rows-1)
}

func up(b *strings.Builder, rows int) {
	if rows > 0 {
		fmt.Fprintf(b, "\x1b[%dA", rows)
	}
}
