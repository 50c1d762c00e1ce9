package bench

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strconv"
)

// Page is a page with plots of benchmarks. Its texts may hold anything.
type Page struct {
	// Title is at the top.
	Title string
	// About are sentences below it, Notes those at the end.
	About, Notes []string
	// Plots are the plots, in order.
	Plots []Plot
}

// Plot shows the samples of one phase.
type Plot struct {
	// Title says what is shown.
	Title string
	// Verdicts are short remarks, such as "20 % slower than the last run".
	Verdicts []PlotVerdict
	// Groups are the samples, one below the other on the same axis.
	Groups []PlotGroup
	// Trend are the medians of runs in the order of time, the last one being that of
	// the page; fewer than 2 are not shown.
	Trend []Summary
}

// PlotVerdict is a remark on a plot.
type PlotVerdict struct {
	// Text is what it says.
	Text string
	// Verdict colours it; empty is none in particular.
	Verdict Verdict
}

// PlotGroup is one sample.
type PlotGroup struct {
	// Name says what was measured.
	Name string
	// Seconds are its values, in the order in which they were taken.
	Seconds []float64
}

// WriteHTML writes a page that needs nothing else: its plots are SVG, it has no
// script and refers to nothing, and it follows the reader's choice of light or dark.
func WriteHTML(w io.Writer, p Page) error {
	view := struct {
		Page
		Drawn []drawnPlot
	}{Page: p}
	for _, one := range p.Plots {
		view.Drawn = append(view.Drawn, draw(one))
	}
	return page().Execute(w, view)
}

//go:embed page.html
var pageText string

func page() *template.Template { return template.Must(template.New("page").Parse(pageText)) }

// The measures of a drawing, in units of which a phone shows about one per pixel.
const (
	plotWidth  = 340.0
	plotMargin = 12.0
	groupSpace = 46.0
	trendSpace = 96.0
)

// drawnPlot is a plot with the places of all it shows.
type drawnPlot struct {
	Plot
	Height, Axis float64
	Left, Right  float64
	Ticks        []tick
	Rows         []drawnRow
	Line         *drawnTrend
}

// tick is a value on an axis; Anchor keeps its label within the drawing.
type tick struct {
	At            float64
	Label, Anchor string
}

type drawnRow struct {
	Name, Figure   string
	Text, Y        float64
	Top, Bottom    float64
	Dots           []dot
	Median         float64
	Low, BandWidth float64 // 0 without an interval
}

type dot struct{ X, Y float64 }

type drawnTrend struct {
	Height float64
	Path   string
	Points []drawnPoint
	Ticks  []tick
	Text   string
}

type drawnPoint struct{ X, Y, Low, High float64 }

// draw lays a plot out.
func draw(p Plot) drawnPlot {
	d := drawnPlot{Plot: p, Left: plotMargin, Right: plotWidth - plotMargin}
	var all []float64
	for _, g := range p.Groups {
		all = append(all, g.Seconds...)
	}
	if len(all) == 0 {
		return d
	}
	s := newScale(slices.Min(all), slices.Max(all), plotMargin, plotWidth-plotMargin)
	for i, g := range p.Groups {
		sum := Summarize(g.Seconds)
		if sum.N == 0 {
			continue
		}
		top := float64(i) * groupSpace
		r := drawnRow{Name: g.Name, Figure: Duration(sum.Median), Text: top + 13, Y: top + 30, Top: top + 20, Bottom: top + 40, Median: s.at(sum.Median)}
		if sum.High > 0 {
			r.Low, r.BandWidth = s.at(sum.Low), max(1, s.at(sum.High)-s.at(sum.Low))
			r.Figure += " (" + Duration(sum.Low) + " to " + Duration(sum.High) + ")"
		}
		for k, v := range g.Seconds {
			// In three lines, so that fewer lie on each other.
			r.Dots = append(r.Dots, dot{s.at(v), r.Y + float64(k%3-1)*5})
		}
		d.Rows = append(d.Rows, r)
	}
	d.Axis = float64(len(p.Groups))*groupSpace + 6
	d.Height = d.Axis + 20
	d.Ticks = s.ticks(5)
	d.Line = drawTrend(p.Trend)
	return d
}

func drawTrend(points []Summary) *drawnTrend {
	if len(points) < 2 {
		return nil
	}
	bounds := func(s Summary) (low, high float64) {
		if s.High > 0 {
			return s.Low, s.High
		}
		return s.Median, s.Median
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, s := range points {
		l, h := bounds(s)
		low, high = min(low, l), max(high, h)
	}
	const left, top, bottom = 58.0, 10.0, trendSpace - 10
	// From the bottom to the top.
	s := newScale(low, high, bottom, top)
	t := &drawnTrend{Height: trendSpace, Ticks: s.ticks(3), Text: fmt.Sprintf("medians of the last %d runs, oldest first", len(points))}
	for i, one := range points {
		x := left + (plotWidth-plotMargin-left)*float64(i)/float64(len(points)-1)
		l, h := bounds(one)
		p := drawnPoint{x, s.at(one.Median), s.at(l), s.at(h)}
		t.Points = append(t.Points, p)
		step := "L"
		if i == 0 {
			step = "M"
		}
		t.Path += step + number(p.X) + " " + number(p.Y)
	}
	return t
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

// scale maps values to places.
type scale struct{ low, high, from, to float64 }

// newScale leaves a little room at both ends.
func newScale(low, high, from, to float64) scale {
	room := (high - low) * 0.04
	if room == 0 {
		room = max(math.Abs(high)*0.05, 1e-4)
	}
	return scale{low - room, high + room, from, to}
}

func (s scale) at(v float64) float64 {
	return math.Round((s.from+(s.to-s.from)*(v-s.low)/(s.high-s.low))*10) / 10
}

// ticks are at most that many round values.
func (s scale) ticks(most int) []tick {
	step := math.Pow(10, math.Floor(math.Log10(s.high-s.low)))
	for _, f := range []float64{0.1, 0.2, 0.5, 1, 2, 5, 10} {
		if math.Floor(s.high/(step*f))-math.Ceil(s.low/(step*f))+1 <= float64(most) {
			step *= f
			break
		}
	}
	var all []tick
	for n := math.Ceil(s.low / step); n*step <= s.high; n++ {
		if v := n * step; v >= 0 {
			at, anchor := s.at(v), "middle"
			switch {
			case at > plotWidth-2*plotMargin:
				anchor = "end"
			case at < 2*plotMargin:
				anchor = "start"
			}
			all = append(all, tick{at, tickLabel(v, step, s.high), anchor})
		}
	}
	return all
}

// tickLabel has as many digits as tell one from the next, and the same unit as all.
func tickLabel(seconds, step, high float64) string {
	unit, by := "s", 1.0
	if high < 1 || step < 0.01 {
		unit, by = "ms", 1e3
	}
	digits := max(0, int(math.Ceil(-math.Log10(step*by)-1e-9)))
	return strconv.FormatFloat(seconds*by, 'f', digits, 64) + " " + unit
}

// Duration is a time in seconds as people read it, with three digits.
func Duration(seconds float64) string {
	switch {
	case seconds < 0.01:
		return fmt.Sprintf("%.2f ms", seconds*1e3)
	case seconds < 0.1:
		return fmt.Sprintf("%.1f ms", seconds*1e3)
	case seconds < 1:
		return fmt.Sprintf("%.0f ms", seconds*1e3)
	case seconds < 10:
		return fmt.Sprintf("%.2f s", seconds)
	case seconds < 100:
		return fmt.Sprintf("%.1f s", seconds)
	}
	return fmt.Sprintf("%.0f s", seconds)
}
