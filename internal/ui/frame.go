package ui

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nixflotilla/flotilla/fleet"
)

// line is one line of a frame, with its width in columns.
type line struct {
	text    string
	columns int
}

// add appends text in a colour, and leaves out what is beyond the width.
func (l *line) add(s screen, color, text string, width int) {
	text = cut(text, max(0, width-l.columns))
	if l.columns >= width {
		return
	}
	l.text += s.paint(color, text)
	l.columns += utf8.RuneCountInString(text)
}

// frame draws the board: a line per host, in the order of the hosts, and one
// for all. Of hosts that do not fit it shows the most interesting and counts
// the others. It is at most height-1 lines, each at most s.width-1 columns.
func (b *board) frame(s screen, height int, now time.Time) []line {
	s.width--
	if len(b.rows) == 1 {
		return []line{b.line(s, b.columns(s, []int{0}, now), 0, now)}
	}
	if height < 3 {
		return []line{b.overall(s, now)}
	}
	shown, more := b.pick(height - 2)
	c := b.columns(s, shown, now)
	frame := make([]line, 0, len(shown)+2)
	for _, i := range shown {
		frame = append(frame, b.line(s, c, i, now))
	}
	if more != "" {
		var l line
		l.add(s, dim, "  "+more, s.width)
		frame = append(frame, l)
	}
	return append(frame, b.overall(s, now))
}

// overall is the line on all hosts.
func (b *board) overall(s screen, now time.Time) line {
	var n [done + 1]int
	for i := range b.rows {
		n[b.rows[i].state()]++
	}
	var l line
	if s.width >= narrow {
		l.add(s, bold, fmt.Sprintf("%d hosts: ", len(b.rows)), s.width)
	}
	for i, c := range counts(n) {
		if i > 0 {
			l.add(s, "", ", ", s.width)
		}
		l.add(s, c.color, c.text, s.width)
	}
	l.add(s, "", " · "+clock(now.Sub(b.began)), s.width)
	if left := " · " + about(b.rest(now)); left != " · " && l.columns+utf8.RuneCountInString(left) <= s.width {
		l.add(s, "", left, s.width)
	}
	return l
}

type count struct{ color, text string }

// counts are the states that some hosts are in.
func counts(n [done + 1]int) []count {
	var out []count
	for _, c := range []struct {
		state state
		color string
		word  string
	}{{running, "", "running"}, {failed, red, "failed"}, {done, green, "done"}, {waiting, dim, "waiting"}} {
		if n[c.state] > 0 {
			out = append(out, count{c.color, fmt.Sprintf("%d %s", n[c.state], c.word)})
		}
	}
	return out
}

// pick chooses the rows for which there is room, in the hosts' order, and says
// what the others are. Of a room that is too small a third is kept for failed
// hosts.
func (b *board) pick(room int) (shown []int, more string) {
	if len(b.rows) <= room {
		for i := range b.rows {
			shown = append(shown, i)
		}
		return shown, ""
	}
	var by [done + 1][]int
	for i := range b.rows {
		s := b.rows[i].state()
		by[s] = append(by[s], i)
	}
	room = max(0, room-1)
	take := func(s state, most int) {
		n := min(len(by[s]), most, room-len(shown))
		shown, by[s] = append(shown, by[s][:n]...), by[s][n:]
	}
	take(running, room-min(len(by[failed]), room/3))
	for _, s := range []state{failed, running, waiting, done} {
		take(s, room)
	}
	slices.Sort(shown)
	var n [done + 1]int
	rest := 0
	for s := range by {
		n[s] = len(by[s])
		rest += n[s]
	}
	var parts []string
	for _, c := range counts(n) {
		parts = append(parts, c.text)
	}
	return shown, fmt.Sprintf("+ %d more: %s", rest, strings.Join(parts, ", "))
}

// columns are the widths of a frame's columns.
type columns struct{ name, stage, took, usual int }

// narrow is the width below which a frame leaves out what it can, roomy the one
// from which on it says what steps usually take.
const narrow, roomy = 60, 72

func (b *board) columns(s screen, shown []int, now time.Time) columns {
	c := columns{stage: len(fleet.Unreachable), took: len("59 s")}
	for i := range b.rows {
		c.name = max(c.name, len(b.rows[i].name))
	}
	for _, i := range shown {
		if r := b.rows[i].result; r != nil {
			c.stage = max(c.stage, len(r.Outcome))
		}
		c.took = max(c.took, len(b.rows[i].took(now)))
		// Once there, the column stays: what is behind it is not to jump.
		b.usual = max(b.usual, len(b.rows[i].usual(now)))
	}
	if s.width >= roomy {
		c.usual = b.usual
	}
	c.name = min(c.name, max(8, s.width/4))
	c.stage = min(c.stage, max(len(fleet.Unreachable), s.width*3/10))
	return c
}

func (b *board) line(s screen, c columns, i int, now time.Time) line {
	r := &b.rows[i]
	mark, color, stage, text := "  ", "", "waiting", ""
	switch st := r.state(); {
	case r.result != nil:
		mark, color = "✓ ", outcomeColor(r.result.Outcome)
		if st == failed {
			mark = "✗ "
		}
		stage, text = string(r.result.Outcome), why(*r.result)
	case len(r.active) > 0:
		a := r.active[len(r.active)-1]
		color, stage, text = bold, string(a.step), r.activity
		if r.expected > 0 {
			text = fmt.Sprintf("%2d %%  %s", min(100, int64(100*float64(r.done)/float64(r.expected))), text)
		}
	default:
		color, text = dim, r.activity
	}
	var l line
	l.add(s, color, mark, s.width)
	l.add(s, "", pad(cut(r.name, c.name), c.name)+"  ", s.width)
	l.add(s, color, pad(cut(stage, c.stage), c.stage), s.width)
	l.add(s, dim, fmt.Sprintf(" %*s ", c.took, r.took(now)), s.width)
	if c.usual > 0 {
		l.add(s, dim, pad(r.usual(now), c.usual)+" ", s.width)
	}
	l.add(s, "", " ", s.width)
	if left := about(r.forecast.rest(now)); left != "" && len(b.rows) == 1 && r.result == nil && s.width >= roomy {
		text = strings.TrimSuffix(left+" · "+text, " · ")
	}
	l.add(s, "", plain(text), s.width)
	return l
}

// took is how long the host's present step takes so far, or the whole host took.
func (r *row) took(now time.Time) string {
	switch {
	case r.result != nil:
		return clock(r.result.Duration)
	case len(r.active) > 0:
		return clock(now.Sub(r.active[len(r.active)-1].began))
	}
	return ""
}

// clock writes how long something takes, without fractions: 7 s, 1:05, 1:00:00.
func clock(d time.Duration) string {
	switch n := int(max(0, d).Seconds()); {
	case n < 60:
		return fmt.Sprintf("%d s", n)
	case n < 3600:
		return fmt.Sprintf("%d:%02d", n/60, n%60)
	default:
		return fmt.Sprintf("%d:%02d:%02d", n/3600, n/60%60, n%60)
	}
}
