package ui

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/fleet"
)

// Generations writes the generations of a host's system profile, the newest
// last; times are in this machine's zone.
func Generations(w io.Writer, res fleet.Result) {
	s := newScreen(w)
	fmt.Fprintf(w, "%s: %s\n", s.paint(bold, plain(res.Host.Name)), plain(res.Reason))
	if len(res.Generations) == 0 {
		return
	}
	head := []Cell{{Text: "GEN", Right: true}, {Text: "STATE"}, {Text: "MADE"}, {Text: "SYSTEM"}, {Text: "KERNEL"}, {Text: "NIXOS"}}
	var rows [][]Cell
	for _, g := range res.Generations {
		made, system, tone := "-", "-", Even
		if !g.Made.IsZero() {
			made = g.Made.Local().Format("2006-01-02 15:04")
		}
		if g.Path != "" {
			system = g.Path.Hash()[:7]
		}
		switch {
		case g.Gone:
			tone = Bad
		case g.Live:
			tone = Good
		case g.Profile:
			tone = Doubtful
		}
		rows = append(rows, []Cell{{Text: fmt.Sprint(g.Number), Right: true}, {Text: strings.Join(generationStates(g), ", "), Tone: tone}, {Text: made},
			{Text: system}, {Text: orText(g.Kernel, "-")}, {Text: orText(g.NixOS, "-")}})
	}
	_ = Table(w, head, rows)
}

// generationStates are what a host does with a generation.
func generationStates(g fleet.Generation) []string {
	var all []string
	for _, state := range []struct {
		is   bool
		text string
	}{{g.Gone, "gone"}, {g.Live, strings.TrimSuffix("runs "+plain(g.Specialisation), " ")}, {g.Profile && !g.Uncommitted, "boots"}, {g.Uncommitted, "may boot"}, {g.Booted, "booted"}} {
		if state.is {
			all = append(all, state.text)
		}
	}
	return all
}

type jsonGeneration struct {
	Generation int    `json:"generation"`
	Path       string `json:"path,omitempty"`
	Made       string `json:"made,omitempty"`
	NixOS      string `json:"nixos,omitempty"`
	Kernel     string `json:"kernel,omitempty"`
	Live       bool   `json:"live"`
	LiveAs     string `json:"specialisation,omitempty"`
	Profile    bool   `json:"profile"`
	Booted     bool   `json:"booted"`
	Gone       bool   `json:"gone,omitempty"`

	Uncommitted bool `json:"uncommitted,omitempty"`
}

func newJSONGeneration(g fleet.Generation) *jsonGeneration {
	made := ""
	if !g.Made.IsZero() {
		made = g.Made.UTC().Format(time.RFC3339)
	}
	return &jsonGeneration{g.Number, string(g.Path), made, plain(g.NixOS), plain(g.Kernel), g.Live, plain(g.Specialisation), g.Profile, g.Booted, g.Gone, g.Uncommitted}
}

// newJSONGenerations is nil for a host that was not asked.
func newJSONGenerations(list []fleet.Generation) *[]*jsonGeneration {
	if list == nil {
		return nil
	}
	out := make([]*jsonGeneration, len(list))
	for i, g := range list {
		out[i] = newJSONGeneration(g)
	}
	return &out
}
