package bench

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func aPage(name string, values ...[]float64) Page {
	p := Page{Title: name, About: []string{name}, Notes: []string{name}}
	plot := Plot{Title: name, Verdicts: []PlotVerdict{{Text: name, Verdict: Slower}}}
	for _, v := range values {
		plot.Groups = append(plot.Groups, PlotGroup{Name: name, Seconds: v})
		plot.Trend = append(plot.Trend, Summarize(v))
	}
	p.Plots = []Plot{plot}
	return p
}

// What a name holds is text, the page refers to nothing and has no script.
func TestPageIsSelfContained(t *testing.T) {
	var b bytes.Buffer
	evil := `</title><script>alert(1)</script>"><img src=x onerror=alert(1)>`
	if err := WriteHTML(&b, aPage(evil, around(1), around(1.2))); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, never := range []string{"<script", "<img", "http:", "https:", "url(", "@import", "src=x onerror=alert(1)>\""} {
		if strings.Contains(text, never) {
			t.Errorf("%q in the page", never)
		}
	}
	for _, want := range []string{"prefers-color-scheme: dark", `name="viewport"`, "&lt;script&gt;", `class="slower"`, "1.00 s (980 ms to 1.02 s)"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in the page", want)
		}
	}
	if n := strings.Count(text, `class="dot"`); n != 22 { // 20 samples, 2 medians
		t.Errorf("%d dots", n)
	}
}

var placed = regexp.MustCompile(` (?:cx|x|x1|x2)="([^"]*)"`)

// Whatever the samples, the drawings are well-formed and all that they show is
// within them.
func TestPageProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.Float64Range(0, 1e5), 1, 12)
		var values [][]float64
		for range rapid.IntRange(0, 4).Draw(t, "groups") {
			values = append(values, list.Draw(t, "values"))
		}
		var b bytes.Buffer
		if err := WriteHTML(&b, aPage("p", values...)); err != nil {
			t.Fatal(err)
		}
		for _, svg := range regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(b.String(), -1) {
			in := xml.NewDecoder(strings.NewReader(svg))
			for {
				if _, err := in.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("%v in %s", err, svg)
				}
			}
			for _, m := range placed.FindAllStringSubmatch(svg, -1) {
				if x, err := strconv.ParseFloat(m[1], 64); err != nil || x < 0 || x > plotWidth {
					t.Fatalf("%s in %s", m[0], svg)
				}
			}
		}
	})
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		want      string
	}{
		{0.1, 0.5, "100 ms 200 ms 300 ms 400 ms 500 ms"},
		{1.9, 2.4, "2.0 s 2.2 s 2.4 s"},
		{0.0061, 0.0064, "6.1 ms 6.2 ms 6.3 ms 6.4 ms"},
		{1, 1, "0.96 s 0.98 s 1.00 s 1.02 s 1.04 s"},
		{0, 0, "0.00 ms 0.05 ms 0.10 ms"},
	} {
		var labels []string
		for _, tick := range newScale(c.low, c.high, 0, 100).ticks(5) {
			labels = append(labels, tick.Label)
		}
		if got := strings.Join(labels, " "); got != c.want {
			t.Errorf("%v to %v: %s, want %s", c.low, c.high, got, c.want)
		}
	}
}
