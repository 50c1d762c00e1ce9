package ui

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/nixflotilla/flotilla/fleet"
)

// Inputs writes what an update did to a flake's inputs.
func Inputs(w io.Writer, u fleet.InputUpdate) {
	s := newScreen(w)
	changed := map[string]bool{}
	for _, c := range u.Changes {
		changed[c.Name] = true
		fmt.Fprintf(w, "%s: %s → %s\n", s.paint(bold, plain(c.Name)), pinned(c.Old), s.paint(green, pinned(c.New)))
	}
	for _, name := range slices.Sorted(maps.Keys(u.Current)) {
		if in := u.Current[name]; !changed[name] {
			fmt.Fprintf(w, "%s: nothing newer than %s\n", s.paint(bold, plain(name)), pinned(&in))
		}
	}
}

// pinned says what an input is pinned to: the start of its revision, or of its
// hash, and its date.
func pinned(in *fleet.LockedInput) string {
	if in == nil {
		return "none"
	}
	text := in.Rev[:min(7, len(in.Rev))]
	if text == "" {
		text = in.NarHash[:min(15, len(in.NarHash))]
	}
	if text == "" {
		text = "unknown"
	}
	if !in.LastModified.IsZero() {
		text += " (" + in.LastModified.Format(time.DateOnly) + ")"
	}
	return plain(text)
}

type jsonInput struct {
	Name string      `json:"name"`
	Old  *jsonPinned `json:"old,omitempty"`
	New  *jsonPinned `json:"new,omitempty"`
}

type jsonPinned struct {
	Rev          string `json:"rev,omitempty"`
	NarHash      string `json:"nar_hash,omitempty"`
	LastModified string `json:"last_modified,omitempty"`
}

// JSONInputs writes a line of the kind "input" for each input that an update
// changed.
func JSONInputs(w io.Writer, u fleet.InputUpdate) {
	j := NewJSON(w)
	for _, c := range u.Changes {
		j.line(time.Now(), jsonEvent{Kind: "input", Input: &jsonInput{plain(c.Name), newJSONPinned(c.Old), newJSONPinned(c.New)}})
	}
}

// newJSONPinned is nil for nil.
func newJSONPinned(in *fleet.LockedInput) *jsonPinned {
	if in == nil {
		return nil
	}
	out := &jsonPinned{Rev: plain(in.Rev), NarHash: plain(in.NarHash)}
	if !in.LastModified.IsZero() {
		out.LastModified = in.LastModified.Format(time.RFC3339)
	}
	return out
}
