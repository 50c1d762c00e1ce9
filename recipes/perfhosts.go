package recipes

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/nixflotilla/flotilla/bench"
	"github.com/nixflotilla/flotilla/internal/ui"
	"github.com/nixflotilla/flotilla/nixcmd"
)

// roundsForIntervals are as few as give a confidence interval.
const roundsForIntervals = 6

// PerfEval times every host's evaluation: without and with Nix's cache, and as deployments do it
//
// Options: -on=SELECTOR, -json, -runs=N (6). With processor time and peak memory of
// the evaluators. No host is contacted.
func PerfEval(ctx context.Context, on *string, json *bool, runs *int) error {
	asJSON(json)
	rounds, err := roundsOf(runs, roundsForIntervals)
	if err != nil {
		return failure(err)
	}
	return measuring(ctx, text(on, everyone), func(ctx context.Context, m measurement) error {
		m.status.Set("evaluating for the first time", "")
		r, err := bench.Evaluations(ctx, m.fleet, m.hosts, rounds, m.progress("evaluations", rounds))
		if err != nil {
			return err
		}
		m.status.Clear()
		if forPrograms() {
			return writeJSON(os.Stdout, jsonHosts{"evaluations", r})
		}
		return evaluationSheet(r).text(os.Stdout)
	})
}

// PerfBuildTimes times building every host's own derivations once more, and names the slowest
//
// Options: -on=SELECTOR, -json, -runs=N (6). What is not built is built first, and
// that is timed as well. In Nix's check mode: what is in the store stays, and no
// garbage is collected. No host is contacted but those that build.
func PerfBuildTimes(ctx context.Context, on *string, json *bool, runs *int) error {
	asJSON(json)
	rounds, err := roundsOf(runs, roundsForIntervals)
	if err != nil {
		return failure(err)
	}
	return measuring(ctx, text(on, everyone), func(ctx context.Context, m measurement) error {
		r, err := bench.BuildTimes(ctx, m.fleet, m.hosts, rounds, m.progress("builds", rounds))
		if err != nil {
			return err
		}
		m.status.Clear()
		if forPrograms() {
			return writeJSON(os.Stdout, jsonHosts{"build-times", r})
		}
		for _, s := range buildSheets(r) {
			if err := s.text(os.Stdout); err != nil {
				return err
			}
		}
		return nil
	})
}

// progress shows which round is being measured.
func (m measurement) progress(what string, rounds int) func(round int) {
	return func(round int) {
		if round == 0 {
			m.status.Set(what+": building what is not built, and warming up", "")
			return
		}
		m.status.Set("measuring "+what, fmt.Sprintf("%d of %d", round, rounds))
	}
}

type jsonHosts struct {
	Kind string `json:"kind"`
	bench.HostsResult
}

// taken says where hosts were measured.
func taken(r bench.HostsResult) string {
	n := 0
	for _, h := range r.Hosts {
		for _, s := range h.Series {
			n = max(n, len(s.Seconds))
		}
	}
	e := r.Environment
	return fmt.Sprintf("%s after one to warm up; %d cores, load %.1f, Nix %s", ui.Count(n, "round"), e.Cores, e.Load, e.Nix)
}

func evaluationSheet(r bench.HostsResult) sheet {
	out := sheet{title: "Evaluations", before: []string{taken(r)}, head: []ui.Cell{{Text: "HOST"}, {Text: "PHASE"}, {Text: "MEDIAN", Right: true}, {Text: "95 % INTERVAL"},
		{Text: "CPU", Right: true}, {Text: "PEAK", Right: true}}}
	var all []bench.Row
	sums := map[bench.Phase]float64{}
	for _, h := range r.Hosts {
		for _, s := range h.Series {
			sum := bench.Summarize(s.Seconds)
			all = append(all, bench.Row{Summary: sum})
			sums[s.Phase] += sum.Median
			row := []ui.Cell{{Text: h.Host}, {Text: string(s.Phase)}, {Text: figure(sum.Median), Right: true}, {Text: interval(sum)}}
			if len(s.MaxRSS) > 0 {
				row = append(row, ui.Cell{Text: figure(bench.Summarize(s.CPU).Median), Right: true}, ui.Cell{Text: ui.Bytes(slices.Max(s.MaxRSS)), Right: true})
			} else {
				row = append(row, ui.Cell{Text: "-", Right: true}, ui.Cell{Text: "-", Right: true})
			}
			out.rows = append(out.rows, row)
		}
	}
	if len(r.Hosts) > 1 {
		out.after = append(out.after, fmt.Sprintf("one after the other, %d hosts take %s without Nix's cache, %s with it", len(r.Hosts),
			figure(sums[bench.EvaluateCold]), figure(sums[bench.EvaluateWarm])))
	}
	var missing []string
	for _, h := range r.Hosts {
		for _, p := range slices.Sorted(maps.Keys(h.NotMeasured)) {
			missing = append(missing, fmt.Sprintf("- %s: %s was not measured: %s", h.Host, p, h.NotMeasured[p]))
		}
	}
	out.after = append(append(out.after, missing...), busyNotes(r.Environment)...)
	return out.warned(warnings(all))
}

// derivationName is the name in a .drv path.
func derivationName(path string) string {
	p, err := nixcmd.ParseStorePath(path)
	if err != nil {
		return path
	}
	return strings.TrimSuffix(p.Name(), ".drv")
}

// slowestShown is how many derivations are named.
const slowestShown = 10

// buildSheets are the hosts, and the slowest of their derivations.
func buildSheets(r bench.HostsResult) []sheet {
	hosts := sheet{title: "Build times", before: []string{taken(r)}, head: []ui.Cell{{Text: "HOST"}, {Text: "BUILT AGAIN", Right: true}, {Text: "MEDIAN", Right: true},
		{Text: "95 % INTERVAL"}, {Text: "CPU", Right: true}, {Text: "PEAK", Right: true}}}
	var all []bench.Row
	type slow struct {
		host string
		bench.DerivationSeries
		median float64
	}
	var slowest []slow
	var notes []string
	for _, h := range r.Hosts {
		s := h.Of(bench.Rebuild)
		sum := bench.Summarize(s.Seconds)
		all = append(all, bench.Row{Summary: sum})
		peak := "-"
		if len(s.MaxRSS) > 0 {
			peak = ui.Bytes(slices.Max(s.MaxRSS))
		}
		hosts.rows = append(hosts.rows, []ui.Cell{{Text: h.Host}, {Text: fmt.Sprint(len(h.Rebuilt)), Right: true}, {Text: figure(sum.Median), Right: true},
			{Text: interval(sum)}, {Text: figure(bench.Summarize(s.CPU).Median), Right: true}, {Text: peak, Right: true}})
		for _, d := range h.Rebuilt {
			slowest = append(slowest, slow{h.Host, d, bench.Summarize(d.Seconds).Median})
		}
		if f := h.First; f != (bench.FirstBuild{}) {
			note := fmt.Sprintf("- %s was not built: that took %s, together with the other hosts, for %s", h.Host, figure(f.Seconds), ui.Count(f.Derivations, "derivation"))
			if f.Paths > 0 {
				note += fmt.Sprintf(" and %d downloads, %s", f.Paths, ui.Bytes(f.Bytes))
			}
			notes = append(notes, note)
		}
		if len(h.LeftOut) > 0 {
			notes = append(notes, fmt.Sprintf("- %s: left out, because they cannot be built again: %s", h.Host, strings.Join(withoutDrv(h.LeftOut), ", ")))
		}
	}
	hosts.after = append(hosts.after, "- built again in Nix's check mode: the toplevel, and those of its direct inputs that are cheaper to build than to fetch")
	if r.Environment.Store != "local" {
		hosts.after = append(hosts.after, fmt.Sprintf("- builds are not done by `nix build` itself (store: %s): CPU and PEAK are of that alone", r.Environment.Store))
	}
	hosts.after = append(append(hosts.after, notes...), busyNotes(r.Environment)...)
	hosts = hosts.warned(warnings(all))

	slices.SortStableFunc(slowest, func(a, b slow) int { return cmp.Compare(b.median, a.median) })
	if len(slowest) == 0 {
		return []sheet{hosts}
	}
	names := sheet{title: "Slowest derivations", head: []ui.Cell{{Text: "MEDIAN", Right: true}, {Text: "HOST"}, {Text: "DERIVATION"}}}
	for _, d := range slowest[:min(len(slowest), slowestShown)] {
		names.rows = append(names.rows, []ui.Cell{{Text: figure(d.median), Right: true}, {Text: d.host}, {Text: derivationName(d.Derivation)}})
	}
	if n := len(slowest) - len(names.rows); n > 0 {
		names.after = []string{fmt.Sprintf("- the slowest of %d; -json has all", len(slowest))}
	}
	return []sheet{hosts, names}
}
