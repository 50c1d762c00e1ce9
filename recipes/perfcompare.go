package recipes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/nixflotilla/flotilla/bench"
	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/ui"
)

// workTree is what perfCompare calls the tree as it is.
const workTree = "."

// PerfCompare times two revisions of the configuration in the same rounds, with a verdict per phase
//
// Options: -on=SELECTOR, -json, -runs=N (10), -html=FILE. REV1 and REV2 are commits
// (main, HEAD~3) or "." for the work tree. Evaluation without and with Nix's cache, and
// the rebuild of each host's own derivations. Both are built first. No host is
// contacted but those that build; no garbage is collected.
func PerfCompare(ctx context.Context, rev1, rev2 string, on *string, json *bool, runs *int, html *string) error {
	asJSON(json)
	rounds, err := roundsOf(runs, 10)
	if err != nil {
		return failure(err)
	}
	var files outFiles
	defer files.drop()
	page := files.create("html", html)
	if files.err != nil {
		return failure(files.err)
	}
	if err := named(text(on, everyone)); err != nil {
		return failure(err)
	}
	scratch, err := os.MkdirTemp("", "flotilla-compare-*")
	if err != nil {
		return failure(err)
	}
	defer os.RemoveAll(scratch)
	var sides [2]bench.Side
	var only []string
	err = promptly(ctx, func(ctx context.Context) (err error) {
		for i, rev := range []string{rev1, rev2} {
			if sides[i], err = sideOf(ctx, rev, fmt.Sprintf("%s/%d", scratch, i)); err != nil {
				return err
			}
		}
		only, err = common(ctx, &sides, text(on, everyone))
		return err
	})
	for _, s := range sides {
		if s.Fleet != nil {
			defer s.Fleet.Close(context.WithoutCancel(ctx))
		}
	}
	if err != nil {
		return err
	}
	return measured(ctx, measurement{fleet: sides[1].Fleet, hosts: sides[1].Hosts}, func(ctx context.Context, m measurement) error {
		r, err := bench.Revisions(ctx, sides[0], sides[1], rounds, m.progress("both", rounds))
		if err != nil {
			return err
		}
		m.status.Clear()
		c := compared{r, only}
		if err := page.write(func(w io.Writer) error { return bench.WriteHTML(w, c.page()) }); err != nil {
			return err
		}
		if forPrograms() {
			return writeJSON(os.Stdout, c.json())
		}
		return c.sheet().text(os.Stdout)
	})
}

// sideOf opens a revision. What is built of it is kept from the garbage collector
// below state, so that neither takes the place of the other or of what the user built.
func sideOf(ctx context.Context, rev, state string) (bench.Side, error) {
	side := bench.Side{Name: rev}
	config := fleet.Config{StateDir: state}
	if rev != workTree {
		nix, err := flakesGit()
		if err != nil {
			return side, err
		}
		commit, err := nix.Commit(ctx, rev)
		if err != nil {
			return side, err
		}
		if config.State, err = stateOf(ctx, nix, commit); err != nil {
			return side, err
		}
		side.Revision = commit.ID
	}
	var err error
	side.Fleet, err = open(config)
	return side, err
}

// common selects the hosts that both sides have, and names the others.
func common(ctx context.Context, sides *[2]bench.Side, selector string) (only []string, err error) {
	for i := range sides {
		if sides[i].Hosts, err = sides[i].Fleet.Select(ctx, selector); err != nil {
			return nil, fmt.Errorf("%s: %w", sides[i].Name, err)
		}
	}
	has := func(side bench.Side) func(fleet.Host) bool {
		return func(h fleet.Host) bool {
			return slices.ContainsFunc(side.Hosts, func(o fleet.Host) bool { return o.Name == h.Name })
		}
	}
	before, after := sides[0], sides[1]
	for i, other := range []bench.Side{after, before} {
		var kept []fleet.Host
		for _, h := range sides[i].Hosts {
			if has(other)(h) {
				kept = append(kept, h)
			} else {
				only = append(only, fmt.Sprintf("%s is only in %s", h.Name, sides[i].Name))
			}
		}
		sides[i].Hosts = kept
	}
	if len(sides[0].Hosts) == 0 {
		return nil, errors.New("the two revisions have no host in common: " + strings.Join(only, ", "))
	}
	// In the order of the later one.
	slices.SortFunc(sides[0].Hosts, func(a, b fleet.Host) int {
		at := func(h fleet.Host) int {
			return slices.IndexFunc(sides[1].Hosts, func(o fleet.Host) bool { return o.Name == h.Name })
		}
		return at(a) - at(b)
	})
	return only, nil
}

// compared is what came of it.
type compared struct {
	bench.CompareResult
	only []string
}

func (c compared) name(s bench.Side) string {
	if s.Revision == "" {
		return "the work tree"
	}
	short := s.Revision[:min(len(s.Revision), 10)]
	if strings.HasPrefix(s.Revision, s.Name) {
		return short
	}
	return s.Name + " (" + short + ")"
}

func (c compared) sheet() sheet {
	e := c.Environment
	n := 0
	for _, h := range c.Hosts {
		n = max(n, len(h.After.Of(bench.EvaluateCold).Seconds))
	}
	out := sheet{
		before: []string{fmt.Sprintf("from %s to %s: %s of both after one to warm up; %d cores, load %.1f, Nix %s", c.name(c.Before), c.name(c.After), ui.Count(n, "round"), e.Cores, e.Load, e.Nix)},
		head:   []ui.Cell{{Text: "HOST"}, {Text: "PHASE"}, {Text: "BEFORE", Right: true}, {Text: "AFTER", Right: true}, {Text: "95 % INTERVAL"}, {Text: "VERDICT"}},
	}
	var all []bench.Row
	for _, h := range c.Hosts {
		for _, row := range h.Rows() {
			all = append(all, row)
			out.rows = append(out.rows, []ui.Cell{{Text: h.Host}, {Text: string(row.Phase)}, {Text: figure(bench.Summarize(h.Before.Of(row.Phase).Seconds).Median), Right: true},
				{Text: figure(row.Summary.Median), Right: true}, {Text: interval(row.Summary)}, verdictCell(row.Last)})
		}
		if h.Same() {
			out.after = append(out.after, fmt.Sprintf("- %s: both want the same system; only its evaluation can differ", h.Host))
		}
		for _, side := range []struct {
			of bench.Side
			is bench.HostSeries
		}{{c.Before, h.Before}, {c.After, h.After}} {
			if len(side.is.LeftOut) > 0 {
				out.after = append(out.after, fmt.Sprintf("- %s of %s: left out, because they cannot be built again: %s", h.Host, c.name(side.of), strings.Join(withoutDrv(side.is.LeftOut), ", ")))
			}
		}
	}
	for _, o := range c.only {
		out.after = append(out.after, "- "+o)
	}
	out.after = append(out.after, busyNotes(e)...)
	return out.warned(warnings(all))
}

func (c compared) page() bench.Page {
	e := c.Environment
	p := bench.Page{Title: fmt.Sprintf("From %s to %s", c.name(c.Before), c.name(c.After)),
		About: []string{fmt.Sprintf("Taken %s in the same rounds; %s, %d cores, load %.1f, Nix %s, Linux %s", c.Time.Local().Format("2006-01-02 15:04 MST"), e.CPU, e.Cores, e.Load, e.Nix, e.Kernel)}}
	for _, h := range c.Hosts {
		for _, row := range h.Rows() {
			p.Plots = append(p.Plots, bench.Plot{
				Title: h.Host + ": " + string(row.Phase), Verdicts: []bench.PlotVerdict{{Text: row.Last.String(), Verdict: row.Last.Verdict}},
				Groups: []bench.PlotGroup{{Name: c.name(c.Before), Seconds: h.Before.Of(row.Phase).Seconds}, {Name: c.name(c.After), Seconds: h.After.Of(row.Phase).Seconds}},
			})
		}
	}
	for _, n := range c.sheet().after {
		p.Notes = append(p.Notes, strings.TrimPrefix(n, "- "))
	}
	return p
}

type jsonCompare struct {
	Kind string `json:"kind"`
	bench.CompareResult
	Phases []jsonComparedPhase `json:"phases"`
	Only   []string            `json:"only,omitempty"`
}

type jsonComparedPhase struct {
	Host   string          `json:"host"`
	Phase  bench.Phase     `json:"phase"`
	Before float64         `json:"before_seconds"`
	After  float64         `json:"after_seconds"`
	Is     *jsonComparison `json:"comparison"`
}

func (c compared) json() jsonCompare {
	out := jsonCompare{Kind: "comparison", CompareResult: c.CompareResult, Phases: []jsonComparedPhase{}, Only: c.only}
	for _, h := range c.Hosts {
		for _, row := range h.Rows() {
			out.Phases = append(out.Phases, jsonComparedPhase{h.Host, row.Phase, bench.Summarize(h.Before.Of(row.Phase).Seconds).Median, row.Summary.Median, newJSONComparison(row.Last)})
		}
	}
	return out
}
