package recipes

import (
	"context"
	"fmt"
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
	rounds, err := roundsOf(runs, defaultRounds)
	if err != nil {
		return failure(err)
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
		return parallelSheet(r).text(os.Stdout)
	})
}

// roundsOf reads the option -runs.
func roundsOf(runs *int, otherwise int) (int, error) {
	if runs == nil {
		return otherwise, nil
	}
	if *runs < 1 || *runs > bench.MostRounds {
		return 0, fmt.Errorf("-runs is %d: give a number from 1 to %d; intervals need 6", *runs, bench.MostRounds)
	}
	return *runs, nil
}

func parallelSheet(r bench.ParallelResult) sheet {
	e := r.Environment
	out := sheet{title: "All hosts at once",
		before: []string{fmt.Sprintf("%d hosts on %d cores, load %.1f, Nix %s; at most %d evaluations and %d builds at once",
			len(r.Hosts), e.Cores, e.Load, e.Nix, r.Evaluations, r.Builds)},
		head: []ui.Cell{{Text: "TESTED"}, {Text: "MEDIAN", Right: true}, {Text: "95 % INTERVAL"}}}
	var all []bench.Row
	for _, s := range r.Series {
		sum := bench.Summarize(s.Seconds)
		all = append(all, bench.Row{Summary: sum})
		out.rows = append(out.rows, []ui.Cell{{Text: string(s.Phase)}, {Text: figure(sum.Median), Right: true}, {Text: interval(sum)}})
	}
	speed := bench.Summarize(r.Speedups)
	between := ""
	if speed.High > 0 {
		between = fmt.Sprintf(" (%.2f to %.2f)", speed.Low, speed.High)
	}
	out.after = append(out.after, fmt.Sprintf("speed-up %.2f%s, efficiency %.0f %% of the %d that cores, hosts and the limit of evaluations allow, %.0f %% of the %d cores",
		speed.Median, between, 100*speed.Median/float64(r.AtMost()), r.AtMost(), 100*speed.Median/float64(e.Cores), e.Cores))
	out.after = append(out.after, busyNotes(e)...)
	return out.warned(warnings(all))
}

// busyNotes warn of a machine that did something else.
func busyNotes(e bench.Environment) []string {
	if !e.Busy() {
		return nil
	}
	return []string{"- " + busyNote(e)}
}

// warned is the sheet with the statistics' warnings.
func (s sheet) warned(warnings []string) sheet {
	for _, w := range warnings {
		s.after = append(s.after, "- "+w)
	}
	return s
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
		return memorySheet(r).text(os.Stdout)
	})
}

func memorySheet(r bench.MemoryResult) sheet {
	out := sheet{title: "Memory", head: []ui.Cell{{Text: "HOST"}, {Text: "EVALUATOR", Right: true}, {Text: "CPU", Right: true},
		{Text: "BUILDERS", Right: true}, {Text: "CPU", Right: true}, {Text: "BUILT AGAIN", Right: true}}}
	for _, h := range r.Hosts {
		out.rows = append(out.rows, []ui.Cell{{Text: h.Host},
			{Text: ui.Bytes(h.Evaluator), Right: true}, {Text: figure(h.EvaluatorCPU), Right: true},
			{Text: ui.Bytes(h.Builder), Right: true}, {Text: figure(h.BuilderCPU), Right: true},
			{Text: fmt.Sprint(h.Rebuilt), Right: true}})
	}
	largest, sum := r.Largest()
	out.after = []string{
		fmt.Sprintf("largest evaluator %s, the %d of them together %s; %s of memory available", ui.Bytes(largest), len(r.Hosts), ui.Bytes(sum), ui.Bytes(r.Environment.Available)),
		fmt.Sprintf("memory would hold %d of the largest at once; limits.evaluations in force: %d, on %d cores", r.Allows(), r.Evaluations, r.Environment.Cores),
	}
	if r.Environment.Store != "local" {
		out.after = append(out.after, fmt.Sprintf("- builds are not done by `nix build` itself (store: %s): BUILDERS is that alone, which waits for them", r.Environment.Store))
	}
	out.after = append(out.after, "- each is the peak of the largest single process; those of different moments do not add up")
	return out
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
		case measurable(r) != nil:
			return measurable(r)
		case forPrograms():
			return writeJSON(os.Stdout, newJSONCaches(r))
		}
		return cachesSheet(r).text(os.Stdout)
	})
}
