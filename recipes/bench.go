package recipes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/nixflotilla/flotilla/bench"
)

// BenchHost times each phase of HOST RUNS times, and compares with the last and the best run
//
// Options: -json, -out=FILE: the samples as Go benchmark text, for benchstat,
// -html=FILE: a page with plots, -activate. Phases: survey, evaluation without and with
// Nix's cache and as a deployment does it, rebuild of the host's own derivations, a
// copy and a run with nothing to do. The host is changed only by -activate, which
// activates the system that it runs once more in each round. No garbage is collected.
func BenchHost(ctx context.Context, host, runs string, json *bool, out, html *string, activate *bool) error {
	asJSON(json)
	rounds, err := strconv.Atoi(runs)
	if err != nil || rounds < 1 || rounds > bench.MostRounds {
		return failure(fmt.Errorf("RUNS is %q: give a number from 1 to %d; intervals and verdicts need 6", runs, bench.MostRounds))
	}
	var files outFiles
	defer files.drop()
	file, page := files.create("out", out), files.create("html", html)
	if files.err != nil {
		return failure(files.err)
	}
	var ask question
	if is(activate) {
		ask = becoming(nil)
	}
	return measuringAfter(ctx, host, ask, func(ctx context.Context, m measurement) error {
		var records []bench.Record
		var plots bench.Page
		for _, h := range m.hosts {
			r, err := bench.Host(ctx, m.fleet, h, bench.HostOptions{Rounds: rounds, Activate: is(activate), Abandon: m.abandon, Progress: func(stage string, round int) {
				detail := ""
				if round > 0 {
					detail = fmt.Sprintf("%d of %d", round, rounds)
				}
				m.status.Set(h.Name+": "+stage, detail)
			}})
			if err != nil {
				return err
			}
			m.status.Clear()
			dir, err := m.fleet.StateDir("bench")
			if err != nil {
				return err
			}
			history := bench.History{Path: filepath.Join(dir, h.Name+".jsonl")}
			earlier, skipped, err := history.Read()
			if err == nil {
				err = history.Add(r)
			}
			b := benchmarked{record: r, rows: r.Rows(earlier), earlier: earlier, skipped: skipped, path: history.Path}
			// What took minutes to measure is shown, though it cannot be kept.
			if err := errors.Join(b.show(os.Stdout), err); err != nil {
				return err
			}
			records = append(records, r)
			b.plot(&plots)
		}
		if err := page.write(func(w io.Writer) error { return bench.WriteHTML(w, plots) }); err != nil {
			return err
		}
		return file.write(func(w io.Writer) error { return bench.WriteText(w, records...) })
	})
}
