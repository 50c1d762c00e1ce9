package ui

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// Stage is one line that says what is going on: on a terminal it is written over
// and taken away in the end, elsewhere each is a line of its own.
type Stage struct {
	w     io.Writer
	live  bool
	stage string
	shown bool
}

// NewStage returns a Stage on w; nil shows nothing.
func NewStage(w *os.File) *Stage {
	if w == nil {
		return &Stage{}
	}
	return &Stage{w: w, live: CanLive(w)}
}

// Set shows a stage, with how far it is; the latter only on a terminal.
func (s *Stage) Set(stage, detail string) {
	switch {
	case s.w == nil:
	case s.live:
		text := plain(strings.TrimSpace(stage + " " + detail))
		fmt.Fprintf(s.w, "\r%s%s", cut(text, max(0, newScreen(s.w).width-1)), eraseLine)
		s.shown = true
	case stage != s.stage:
		fmt.Fprintln(s.w, plain(stage))
	}
	s.stage = stage
}

// Clear takes away what is shown.
func (s *Stage) Clear() {
	if s.shown {
		fmt.Fprintf(s.w, "\r%s", eraseLine)
		s.shown = false
	}
}
