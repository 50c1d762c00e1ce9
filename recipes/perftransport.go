package recipes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/nixflotilla/flotilla/bench"
	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/ui"
)

// defaultSmall paths are about what a change of nixpkgs brings to a small system.
const defaultSmall, defaultLargeMiB = 600, 32

// PerfTransport times copies to HOST: many small paths, a large one, nothing; and the link itself
//
// Options: -runs=N (6), -paths=N (600), -large=MIB (32, 0: none), -beside: also as `nix copy`
// and as nix-copy-closure do it, -json. What is copied is made up, and deleted again here
// and there; what the host runs stays as it is, and no garbage is collected. With several
// hosts each is measured by itself, and then all at once.
func PerfTransport(ctx context.Context, host string, runs, paths, large *int, beside, json *bool) error {
	asJSON(json)
	opt := bench.TransportOptions{Small: defaultSmall, LargeBytes: defaultLargeMiB << 20, Beside: is(beside)}
	var err error
	if opt.Rounds, err = roundsOf(runs, roundsForIntervals); err != nil {
		return failure(err)
	}
	const mostPaths, mostMiB = 5000, 1 << 16
	if paths != nil {
		if opt.Small = *paths; opt.Small < 1 || opt.Small > mostPaths {
			return failure(fmt.Errorf("-paths is %d: give a number from 1 to %d", *paths, mostPaths))
		}
	}
	if large != nil {
		if opt.LargeBytes = int64(*large) << 20; *large < 0 || *large > mostMiB {
			return failure(fmt.Errorf("-large is %d: give a number of MiB from 0 to %d", *large, mostMiB))
		}
	}
	return measuring(ctx, host, func(ctx context.Context, m measurement) error {
		opt.Progress = func(text string, round int) {
			detail := ""
			if round > 0 {
				detail = fmt.Sprintf("%d of %d", round, opt.Rounds)
			}
			m.status.Set(text, detail)
		}
		r, err := bench.Transport(ctx, m.fleet, m.hosts, opt)
		var left *bench.LeftError
		if errors.As(err, &left) && ctx.Err() != nil {
			m.status.Clear()
			_ = ui.Note(os.Stderr, ui.Harmless(left.Error(), false))
		}
		if err != nil {
			return err
		}
		m.status.Clear()
		if forPrograms() {
			return writeJSON(os.Stdout, struct {
				Kind string `json:"kind"`
				bench.TransportResult
			}{"transport", r})
		}
		return transportSheet(r).text(os.Stdout)
	})
}

func transportSheet(r bench.TransportResult) sheet {
	e := r.Environment
	out := sheet{title: "Transport", head: []ui.Cell{{Text: "HOST"}, {Text: "TIMED"}, {Text: "MEDIAN", Right: true}, {Text: "95 % INTERVAL"}, {Text: "SPEED", Right: true}}}
	var all []bench.Row
	rounds := 0
	row := func(host, what string, s bench.Series, bytes int64) {
		sum := bench.Summarize(s.Seconds)
		all = append(all, bench.Row{Summary: sum})
		rounds = max(rounds, len(s.Seconds))
		speed := "-"
		if bytes > 0 && sum.Median > 0 {
			speed = ui.Bytes(int64(float64(bytes)/sum.Median)) + "/s"
		}
		out.rows = append(out.rows, []ui.Cell{{Text: host}, {Text: what}, {Text: figure(sum.Median), Right: true}, {Text: interval(sum)}, {Text: speed, Right: true}})
	}
	for _, h := range r.Hosts {
		for _, s := range h.Series {
			bytes := int64(0)
			if s.Phase == bench.Uplink || strings.HasPrefix(string(s.Phase), string(bench.CopyLarge)) {
				bytes = r.LargeBytes
			}
			row(h.Host, string(s.Phase), s, bytes)
		}
		out.after = append(out.after, besides(h)...)
	}
	if r.AtOnce != nil {
		row("all", string(bench.CopySmall)+", at once", *r.AtOnce, 0)
	}
	out.before = []string{fmt.Sprintf("%s of 3 kB, a large one of %s; %s after one to warm up; %d cores, load %.1f, Nix %s",
		ui.Count(r.Small, "small path"), ui.Bytes(r.LargeBytes), ui.Count(rounds, "round"), e.Cores, e.Load, e.Nix)}
	out.after = append(out.after, busyNotes(e)...)
	return out.warned(warnings(all))
}

// besides compares the other ways with ours, round by round.
func besides(h bench.TransportSeries) (notes []string) {
	for _, p := range []bench.Phase{bench.CopyNothing, bench.CopySmall, bench.CopyLarge} {
		ours := h.Of(p).Seconds
		for _, way := range []fleet.Way{fleet.ByItself, fleet.ByClosure} {
			var ratios []float64
			for i, s := range h.Of(p.By(way)).Seconds {
				ratios = append(ratios, s/ours[i])
			}
			if len(ratios) == 0 {
				continue
			}
			sum := bench.Summarize(ratios)
			between := ""
			if sum.High > 0 {
				between = fmt.Sprintf(" (%.2f to %.2f)", sum.Low, sum.High)
			}
			notes = append(notes, fmt.Sprintf("- %s, %s: %s takes %.2f%s times as long", h.Host, p, way, sum.Median, between))
		}
	}
	return notes
}
