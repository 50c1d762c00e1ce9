package recipes

import (
	"fmt"
	"strings"

	"github.com/nixflotilla/flotilla/bench"
)

// plot adds the host to a page.
func (b benchmarked) plot(p *bench.Page) {
	r, e := b.record, b.record.Environment
	if p.Title == "" {
		p.Title = "Benchmark of " + r.Host
	} else {
		p.Title += ", " + r.Host
	}
	p.About = append(p.About, fmt.Sprintf("%s: taken %s; %s, %d cores, load %.1f, Nix %s, Linux %s; system %s", r.Host,
		r.Time.Local().Format("2006-01-02 15:04 MST"), e.CPU, e.Cores, e.Load, e.Nix, e.Kernel, r.Toplevel))
	for _, row := range b.rows {
		plot := bench.Plot{Title: r.Host + ": " + string(row.Phase)}
		if last := b.last(); last != nil && len(last.Of(row.Phase).Seconds) > 0 {
			plot.Groups = append(plot.Groups, bench.PlotGroup{Name: "last run", Seconds: last.Of(row.Phase).Seconds})
		}
		plot.Groups = append(plot.Groups, bench.PlotGroup{Name: "this run", Seconds: r.Of(row.Phase).Seconds})
		for _, c := range []struct {
			with string
			is   *bench.Comparison
		}{{"last", row.Last}, {"best", row.Best}} {
			if c.is != nil {
				plot.Verdicts = append(plot.Verdicts, bench.PlotVerdict{Text: fmt.Sprintf("against the %s run: %s", c.with, c.is), Verdict: c.is.Verdict})
			}
		}
		plot.Trend = b.trend(row.Phase)
		p.Plots = append(p.Plots, plot)
	}
	for _, n := range b.notes() {
		p.Notes = append(p.Notes, r.Host+": "+n)
	}
}

// trendLength is how many runs a trend shows.
const trendLength = 30

// trend are the runs of this machine that have a phase, the last being this one.
func (b benchmarked) trend(p bench.Phase) []bench.Summary {
	var all []bench.Summary
	for _, r := range append(b.earlier[:len(b.earlier):len(b.earlier)], b.record) {
		if s := r.Of(p).Seconds; len(s) > 0 && r.Environment.Machine == b.record.Environment.Machine {
			all = append(all, bench.Summarize(s))
		}
	}
	return all[max(0, len(all)-trendLength):]
}

// page has the hosts of each phase below each other.
func (p performance) page() bench.Page {
	e := p.builds.Environment
	out := bench.Page{Title: "Performance of the fleet", About: []string{fmt.Sprintf("Taken %s; %s, %d cores, load %.1f, Nix %s, Linux %s",
		p.time.Local().Format("2006-01-02 15:04 MST"), e.CPU, e.Cores, e.Load, e.Nix, e.Kernel)}}
	for _, phase := range []bench.Phase{bench.EvaluateCold, bench.EvaluateWarm, bench.EvaluateKnown} {
		out.Plots = append(out.Plots, plotOf(string(phase), phase, p.evaluations.Hosts))
	}
	out.Plots = append(out.Plots, plotOf("rebuild of own derivations", bench.Rebuild, p.builds.Hosts))
	both := bench.Plot{Title: fmt.Sprintf("testing %d hosts", len(p.parallel.Hosts))}
	for _, s := range p.parallel.Series {
		both.Groups = append(both.Groups, bench.PlotGroup{Name: string(s.Phase), Seconds: s.Seconds})
	}
	out.Plots = append(out.Plots, both)
	for _, s := range p.sheets() {
		for _, n := range s.after {
			out.Notes = append(out.Notes, s.title+": "+strings.TrimPrefix(n, "- "))
		}
	}
	return out
}

func plotOf(title string, phase bench.Phase, hosts []bench.HostSeries) bench.Plot {
	plot := bench.Plot{Title: title}
	for _, h := range hosts {
		if s := h.Of(phase).Seconds; len(s) > 0 {
			plot.Groups = append(plot.Groups, bench.PlotGroup{Name: h.Host, Seconds: s})
		}
	}
	return plot
}
