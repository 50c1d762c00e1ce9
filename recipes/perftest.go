package recipes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/bench"
	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/ui"
)

// PerfTest measures all: evaluations, builds, parallelism, memory, caches; a report in Markdown
//
// Options: -on=SELECTOR, -json, -runs=N (3), -out=FILE, -html=FILE. The report goes to
// standard output, or into FILE. What perfEval, perfBuildTimes, perfParallel,
// perfMemory and perfCache measure, one after the other.
func PerfTest(ctx context.Context, on *string, json *bool, runs *int, out, html *string) error {
	asJSON(json)
	rounds, err := roundsOf(runs, defaultRounds)
	if err != nil {
		return failure(err)
	}
	var files outFiles
	defer files.drop()
	report, page := files.create("out", out), files.create("html", html)
	if files.err != nil {
		return failure(files.err)
	}
	return measuring(ctx, text(on, everyone), func(ctx context.Context, m measurement) error {
		p, err := measureAll(ctx, m, rounds)
		if err != nil {
			return err
		}
		m.status.Clear()
		if err := page.write(func(w io.Writer) error { return bench.WriteHTML(w, p.page()) }); err != nil {
			return err
		}
		if err := report.write(func(w io.Writer) error { _, err := io.WriteString(w, p.markdown()); return err }); err != nil {
			return err
		}
		switch {
		case forPrograms():
			return writeJSON(os.Stdout, p.json())
		case report == nil:
			_, err = io.WriteString(os.Stdout, p.markdown())
		}
		return err
	})
}

// performance is all that perfTest measures.
type performance struct {
	time                time.Time
	evaluations, builds bench.HostsResult
	parallel            bench.ParallelResult
	memory              bench.MemoryResult
	caches              *fleet.CacheReport
	noCaches            string // why they were not measured
}

func measureAll(ctx context.Context, m measurement, rounds int) (p performance, err error) {
	p.time = time.Now()
	if p.builds, err = bench.BuildTimes(ctx, m.fleet, m.hosts, rounds, m.progress("builds", rounds)); err != nil {
		return p, err
	}
	m.status.Set("evaluating", "")
	if p.evaluations, err = bench.Evaluations(ctx, m.fleet, m.hosts, rounds, m.progress("evaluations", rounds)); err != nil {
		return p, err
	}
	if p.parallel, err = bench.Parallel(ctx, m.fleet, m.hosts, rounds, m.progress("parallelism", rounds)); err != nil {
		return p, err
	}
	m.status.Set("measuring memory", "")
	if p.memory, err = bench.Memory(ctx, m.fleet, m.hosts); err != nil {
		return p, err
	}
	m.status.Set("asking for caches", "")
	p.caches, err = m.fleet.MeasureCaches(ctx, m.hosts, func(url string) { m.status.Set("measuring "+url, "") })
	switch {
	case err != nil:
		return p, err
	case p.caches.Hosts.ExitCode() != fleet.ExitOK:
		return p, &bench.RunError{Report: p.caches.Hosts}
	}
	if err := measurable(p.caches); err != nil {
		p.noCaches = err.Error()
	}
	return p, nil
}

// measurable says why a report holds no figures of caches.
func measurable(r *fleet.CacheReport) error {
	switch {
	case len(r.NotBuilt) == len(r.Hosts.Results):
		return fmt.Errorf("no closure is known, since %s is not built here; build first: testAllParallel", names(r.NotBuilt))
	case len(r.Caches) == 0:
		return errors.New("there is no cache to measure: neither substituters in nix.conf nor [cache] in " + fleet.FileName)
	}
	return nil
}

// sheets are the parts of the report.
func (p performance) sheets() []sheet {
	all := append([]sheet{evaluationSheet(p.evaluations)}, buildSheets(p.builds)...)
	all = append(all, parallelSheet(p.parallel), memorySheet(p.memory))
	if p.noCaches != "" {
		return append(all, sheet{title: "Caches", before: []string{"Not measured: " + p.noCaches}})
	}
	return append(all, cachesSheet(p.caches))
}

func (p performance) markdown() string {
	e := p.builds.Environment
	revision := e.Revision
	if len(revision) > 12 {
		revision = revision[:12]
	}
	if e.Dirty {
		revision += " with uncommitted changes"
	}
	var b strings.Builder
	b.WriteString("# Performance of the fleet\n\n")
	b.WriteString(ui.MarkdownTable([]ui.Cell{{Text: "Taken"}, {Text: p.time.Local().Format("2006-01-02 15:04 MST")}}, [][]ui.Cell{
		{{Text: "Flake"}, {Text: revision}},
		{{Text: "Machine"}, {Text: fmt.Sprintf("%s, %d cores, %s of memory, Linux %s", e.CPU, e.Cores, ui.Bytes(e.Memory), e.Kernel)}},
		{{Text: "Nix"}, {Text: fmt.Sprintf("%s, store %s", e.Nix, e.Store)}},
		{{Text: "Load before"}, {Text: fmt.Sprintf("%.1f", e.Load)}},
		{{Text: "Took"}, {Text: ui.Seconds(time.Since(p.time))}},
	}))
	b.WriteString("\n")
	for _, s := range p.sheets() {
		b.WriteString(s.markdown())
	}
	return b.String()
}

type jsonPerformance struct {
	V           int                  `json:"v"`
	Kind        string               `json:"kind"`
	Evaluations bench.HostsResult    `json:"evaluations"`
	Builds      bench.HostsResult    `json:"build_times"`
	Parallel    bench.ParallelResult `json:"parallel"`
	Memory      bench.MemoryResult   `json:"memory"`
	Allows      int                  `json:"allows_evaluations"`
	Caches      *jsonCaches          `json:"caches,omitempty"`
	NoCaches    string               `json:"caches_not_measured,omitempty"`
}

func (p performance) json() jsonPerformance {
	out := jsonPerformance{V: 1, Kind: "performance", Evaluations: p.evaluations, Builds: p.builds, Parallel: p.parallel,
		Memory: p.memory, Allows: p.memory.Allows(), NoCaches: p.noCaches}
	if p.noCaches == "" {
		caches := newJSONCaches(p.caches)
		out.Caches = &caches
	}
	return out
}
