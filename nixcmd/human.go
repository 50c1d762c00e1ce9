package nixcmd

import "strings"

// humanLog is what an internal-json log says to people: its messages up to
// LevelInfo and the lines of other programs, as text without colours.
type humanLog struct{ b strings.Builder }

func (h *humanLog) add(text string) {
	if text = strings.TrimRight(text, " \t\n"); text != "" {
		h.b.WriteString(text)
		h.b.WriteByte('\n')
	}
}

// message adds the message of an event.
func (h *humanLog) message(l LogLine) {
	if l.Level <= LevelInfo {
		h.add(l.Text)
	}
}

// String returns the text, without white space at its end.
func (h *humanLog) String() string { return strings.TrimSpace(h.b.String()) }
