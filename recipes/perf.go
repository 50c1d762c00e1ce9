package recipes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/nixflotilla/flotilla/bench"
	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/ui"
)

// defaultRounds of perfParallel are few: each evaluates every host twice.
const defaultRounds = 3

// PerfParallel times testing all hosts in turn and at once: speed-up and efficiency (-runs=N)
//
// Options: -on=SELECTOR, -runs=N (3), -json. Each test evaluates without Nix's
// evaluation cache and finds the builds done; no host is contacted.
func PerfParallel(ctx context.Context, on *string, runs *int, json *bool) error {
	asJSON(json)
	rounds := defaultRounds
	if runs != nil {
		rounds = *runs
	}
	if rounds < 1 || rounds > bench.MostRounds {
		return failure(fmt.Errorf("-runs is %d: give a number from 1 to %d; intervals need 6", rounds, bench.MostRounds))
	}
	return measuring(ctx, text(on, everyone), func(ctx context.Context, m measurement) error {
		r, err := bench.Parallel(ctx, m.fleet, m.hosts, rounds, func(round int) {
			if round == 0 {
				m.status.Set("building what is not built, and warming up", "")
				return
			}
			m.status.Set("measuring", fmt.Sprintf("%d of %d", round, rounds))
		})
		if err != nil {
			return err
		}
		m.status.Clear()
		if forPrograms() {
			return writeJSON(os.Stdout, struct {
				Kind string `json:"kind"`
				bench.ParallelResult
			}{"parallel", r})
		}
		showParallel(os.Stdout, r)
		return nil
	})
}

func showParallel(w io.Writer, r bench.ParallelResult) {
	e := r.Environment
	ui.Note(w, fmt.Sprintf("%d hosts on %d cores, load %.1f, Nix %s; at most %d evaluations and %d builds at once",
		len(r.Hosts), e.Cores, e.Load, e.Nix, r.Evaluations, r.Builds))
	var rows [][]ui.Cell
	var all []bench.Row
	for _, s := range r.Series {
		sum := bench.Summarize(s.Seconds)
		all = append(all, bench.Row{Summary: sum})
		rows = append(rows, []ui.Cell{{Text: string(s.Phase)}, {Text: figure(sum.Median), Right: true}, {Text: interval(sum)}})
	}
	ui.Table(w, []ui.Cell{{Text: "TESTED"}, {Text: "MEDIAN", Right: true}, {Text: "95 % INTERVAL"}}, rows)
	speed := bench.Summarize(r.Speedups)
	between := ""
	if speed.High > 0 {
		between = fmt.Sprintf(" (%.2f to %.2f)", speed.Low, speed.High)
	}
	ui.Note(w, fmt.Sprintf("speed-up %.2f%s, efficiency %.0f %% of the %d that cores, hosts and the limit of evaluations allow, %.0f %% of the %d cores",
		speed.Median, between, 100*speed.Median/float64(r.AtMost()), r.AtMost(), 100*speed.Median/float64(e.Cores), e.Cores))
	if e.Busy() {
		ui.Note(w, "- "+busyNote(e))
	}
	for _, warning := range warnings(all) {
		ui.Note(w, "- "+warning)
	}
}

// PerfMemory measures the peak memory of every host's evaluator and builders
//
// Options: -on=SELECTOR, -json. By the kernel's accounting of each process, and
// what limits.evaluations that allows. No host is contacted.
func PerfMemory(ctx context.Context, on *string, json *bool) error {
	asJSON(json)
	return measuring(ctx, text(on, everyone), func(ctx context.Context, m measurement) error {
		m.status.Set("evaluating without Nix's cache, building, and building again", "")
		r, err := bench.Memory(ctx, m.fleet, m.hosts)
		if err != nil {
			return err
		}
		m.status.Clear()
		if forPrograms() {
			return writeJSON(os.Stdout, struct {
				Kind string `json:"kind"`
				bench.MemoryResult
				Allows int `json:"allows_evaluations"`
			}{"memory", r, r.Allows()})
		}
		showMemory(os.Stdout, r)
		return nil
	})
}

func showMemory(w io.Writer, r bench.MemoryResult) {
	head := []ui.Cell{{Text: "HOST"}, {Text: "EVALUATOR", Right: true}, {Text: "CPU", Right: true},
		{Text: "BUILDERS", Right: true}, {Text: "CPU", Right: true}, {Text: "BUILT AGAIN", Right: true}}
	var rows [][]ui.Cell
	for _, h := range r.Hosts {
		rows = append(rows, []ui.Cell{{Text: h.Host},
			{Text: ui.Bytes(h.Evaluator), Right: true}, {Text: figure(h.EvaluatorCPU), Right: true},
			{Text: ui.Bytes(h.Builder), Right: true}, {Text: figure(h.BuilderCPU), Right: true},
			{Text: fmt.Sprint(h.Rebuilt), Right: true}})
	}
	ui.Table(w, head, rows)
	largest, sum := r.Largest()
	ui.Note(w, fmt.Sprintf("largest evaluator %s, the %d of them together %s; %s of memory available", ui.Bytes(largest), len(r.Hosts), ui.Bytes(sum), ui.Bytes(r.Environment.Available)))
	ui.Note(w, fmt.Sprintf("memory would hold %d of the largest at once; limits.evaluations in force: %d, on %d cores", r.Allows(), r.Evaluations, r.Environment.Cores))
	if r.Environment.Store != "local" {
		ui.Note(w, fmt.Sprintf("- builds are not done by `nix build` itself (store: %s): BUILDERS is that alone, which waits for them", r.Environment.Store))
	}
	ui.Note(w, "- each is the peak of the largest single process; those of different moments do not add up")
}

// PerfCache measures each binary cache: latency, share of the hosts' closures, throughput
//
// Options: -on=SELECTOR, -json. Those of nix.conf, and [cache] of fleet.toml. What
// is downloaded is dropped; no garbage is collected, no host contacted.
func PerfCache(ctx context.Context, on *string, json *bool) error {
	asJSON(json)
	return measuring(ctx, text(on, everyone), func(ctx context.Context, m measurement) error {
		m.status.Set("evaluating", "")
		r, err := m.fleet.MeasureCaches(ctx, m.hosts, func(url string) { m.status.Set("measuring "+url, "") })
		m.status.Clear()
		switch {
		case err != nil:
			return err
		case r.Hosts.ExitCode() != fleet.ExitOK:
			return &bench.RunError{Report: r.Hosts}
		case len(r.NotBuilt) == len(m.hosts):
			return fmt.Errorf("no closure is known, since %s is not built here; build first: testAllParallel", names(r.NotBuilt))
		case len(r.Caches) == 0:
			return errors.New("there is no cache to measure: neither substituters in nix.conf nor [cache] in " + fleet.FileName)
		case forPrograms():
			return writeJSON(os.Stdout, newJSONCaches(r))
		}
		showCaches(os.Stdout, r)
		return nil
	})
}
