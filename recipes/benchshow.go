package recipes

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/nixflotilla/flotilla/bench"
	"github.com/nixflotilla/flotilla/internal/ui"
)

// benchmarked is a host's benchmark with what it is compared with.
type benchmarked struct {
	record  bench.Record
	rows    []bench.Row
	earlier []bench.Record
	skipped int
	path    string
}

// show writes the result, for people or for programs.
func (b benchmarked) show(w io.Writer) error {
	if forPrograms() {
		return writeJSON(w, b.json())
	}
	return b.sheet().text(w)
}

func (b benchmarked) sheet() sheet {
	e := b.record.Environment
	n := 0
	if len(b.rows) > 0 {
		n = b.rows[0].Summary.N
	}
	out := sheet{head: []ui.Cell{{Text: "PHASE"}, {Text: "MEDIAN", Right: true}, {Text: "95 % INTERVAL"}, {Text: "AGAINST LAST"}, {Text: "AGAINST BEST"}}}
	out.before = append(out.before, fmt.Sprintf("%s: %s after one to warm up; %d cores, load %.1f, Nix %s", b.record.Host, ui.Count(n, "round"), e.Cores, e.Load, e.Nix))
	for _, r := range b.rows {
		out.rows = append(out.rows, []ui.Cell{{Text: string(r.Phase)}, {Text: figure(r.Summary.Median), Right: true}, {Text: interval(r.Summary)},
			verdictCell(r.Last), verdictCell(r.Best)})
	}
	for _, note := range b.notes() {
		out.after = append(out.after, "- "+note)
	}
	return out
}

func verdictCell(c *bench.Comparison) ui.Cell {
	if c == nil {
		return ui.Cell{Text: "first run", Tone: ui.Quiet}
	}
	tone := map[bench.Verdict]ui.Tone{bench.Faster: ui.Good, bench.Slower: ui.Bad, bench.TooFew: ui.Doubtful, bench.Unclear: ui.Doubtful}[c.Verdict]
	return ui.Cell{Text: c.String(), Tone: tone}
}

// notes are what one must know to understand the figures.
func (b benchmarked) notes() []string {
	r, e := b.record, b.record.Environment
	var notes []string
	if n := len(r.Rebuilt); n > 0 {
		note := fmt.Sprintf("rebuild: %s of its own, in Nix's check mode", ui.Count(n, "derivation"))
		if len(r.LeftOut) > 0 {
			note += "; left out, because they cannot be built again: " + strings.Join(withoutDrv(r.LeftOut), ", ")
		}
		notes = append(notes, note)
	}
	for _, p := range slices.Sorted(maps.Keys(r.NotMeasured)) {
		notes = append(notes, fmt.Sprintf("%s was not measured: %s", p, r.NotMeasured[p]))
	}
	if e.Busy() {
		notes = append(notes, busyNote(e)+", and differences are unclear")
	}
	if last := b.last(); last != nil {
		notes = append(notes, fmt.Sprintf("last: %s%s; best: each phase's lowest median of %d",
			last.Time.Local().Format("2006-01-02 15:04"), b.differs(*last), len(b.earlier)))
	}
	if known := b.leasts(); known != "" {
		notes = append(notes, "a change counts from what runs with nothing changed have differed by: "+known)
	}
	notes = append(notes, b.unclear("last", func(r bench.Row) *bench.Comparison { return r.Last })...)
	notes = append(notes, b.unclear("best", func(r bench.Row) *bench.Comparison { return r.Best })...)
	if b.skipped > 0 {
		notes = append(notes, fmt.Sprintf("%d lines of %s could not be understood, and were passed over", b.skipped, b.path))
	}
	return append(notes, warnings(b.rows)...)
}

// unclear says how much faster or slower the machine itself was, if that makes changes
// unclear.
func (b benchmarked) unclear(with string, of func(bench.Row) *bench.Comparison) []string {
	for _, row := range b.rows {
		c := of(row)
		if c == nil || c.Machine == 0 {
			continue
		}
		is := bench.Slower
		if c.Machine < 0 {
			is = bench.Faster
		}
		return []string{fmt.Sprintf("unclear: the machine itself (control) was %.0f %% %s than in the %s run, too", 100*math.Abs(c.Machine), is, with)}
	}
	return nil
}

// leasts says of the phases whose scatter is known how much counts against the last
// run; empty if none is.
func (b benchmarked) leasts() string {
	var all []string
	for _, row := range b.rows {
		if row.Last != nil && row.Last.Least != bench.LeastChange {
			all = append(all, fmt.Sprintf("%s %.0f %%", row.Phase, 100*row.Last.Least))
		}
	}
	return strings.Join(all, ", ")
}

// last is the last record of this machine, nil if there is none.
func (b benchmarked) last() *bench.Record {
	for i := len(b.earlier) - 1; i >= 0; i-- {
		if b.earlier[i].Environment.Machine == b.record.Environment.Machine {
			return &b.earlier[i]
		}
	}
	return nil
}

// differs says what else has changed since then.
func (b benchmarked) differs(last bench.Record) string {
	was, is := last.Environment, b.record.Environment
	var all []string
	if last.Toplevel != b.record.Toplevel {
		all = append(all, "another system")
	}
	if was.Nix != is.Nix {
		all = append(all, "Nix "+was.Nix)
	}
	if was.Kernel != is.Kernel {
		all = append(all, "Linux "+was.Kernel)
	}
	if was.Cores != is.Cores {
		all = append(all, fmt.Sprintf("%d cores", was.Cores))
	}
	if was.Busy() != is.Busy() {
		all = append(all, fmt.Sprintf("load %.1f", was.Load))
	}
	if len(all) == 0 {
		return ""
	}
	return ", with " + strings.Join(all, ", ")
}

func busyNote(e bench.Environment) string {
	return fmt.Sprintf("the machine was busy before it began (load %.1f on %d cores): the figures are of that, too", e.Load, e.Cores)
}

// warnings are the statistics' own, each once.
func warnings(rows []bench.Row) []string {
	var all []string
	for _, r := range rows {
		all = append(all, r.Summary.Warnings...)
		for _, c := range []*bench.Comparison{r.Last, r.Best} {
			if c != nil {
				all = append(all, c.Warnings...)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func withoutDrv(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = strings.TrimSuffix(n, ".drv")
	}
	return out
}

// figure is a time with three digits.
func figure(seconds float64) string { return bench.Duration(seconds) }

// interval is a confidence interval; "-" if there were too few values for one.
func interval(s bench.Summary) string {
	if s.High == 0 {
		return "-"
	}
	low, high := figure(s.Low), figure(s.High)
	if number, unit, ok := strings.Cut(low, " "); ok && strings.HasSuffix(high, " "+unit) {
		low = number
	}
	return low + " to " + high
}

type jsonBenchmark struct {
	V       int          `json:"v"`
	Kind    string       `json:"kind"`
	Record  bench.Record `json:"record"`
	Phases  []jsonPhase  `json:"phases"`
	Earlier int          `json:"earlier"`
	Skipped int          `json:"skipped_lines"`
}

type jsonPhase struct {
	Phase      bench.Phase     `json:"phase"`
	N          int             `json:"n"`
	Median     float64         `json:"median_seconds"`
	Low        float64         `json:"low_seconds,omitempty"`
	High       float64         `json:"high_seconds,omitempty"`
	Confidence float64         `json:"confidence"`
	CPU        float64         `json:"cpu_seconds,omitempty"`
	MaxRSS     int64           `json:"max_rss_bytes,omitempty"`
	Last       *jsonComparison `json:"last,omitempty"`
	Best       *jsonComparison `json:"best,omitempty"`
	Warnings   []string        `json:"warnings,omitempty"`
}

type jsonComparison struct {
	Verdict  bench.Verdict `json:"verdict"`
	Change   float64       `json:"change"`
	Least    float64       `json:"least"`
	P        float64       `json:"p"`
	Alpha    float64       `json:"alpha"`
	Warnings []string      `json:"warnings,omitempty"`
}

func (b benchmarked) json() jsonBenchmark {
	out := jsonBenchmark{V: 1, Kind: "benchmark", Record: b.record, Phases: []jsonPhase{}, Earlier: len(b.earlier), Skipped: b.skipped}
	for _, r := range b.rows {
		out.Phases = append(out.Phases, jsonPhase{
			Phase: r.Phase, N: r.Summary.N, Median: r.Summary.Median, Low: r.Summary.Low, High: r.Summary.High, Confidence: bench.Confidence,
			CPU: r.CPU, MaxRSS: r.MaxRSS, Last: newJSONComparison(r.Last), Best: newJSONComparison(r.Best), Warnings: r.Summary.Warnings,
		})
	}
	return out
}

// newJSONComparison is nil for nil.
func newJSONComparison(c *bench.Comparison) *jsonComparison {
	if c == nil {
		return nil
	}
	return &jsonComparison{c.Verdict, c.Change, c.Least, c.P, c.Alpha, c.Warnings}
}
