package recipes

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/nixflotilla/flotilla/bench"
	"github.com/nixflotilla/flotilla/fleet"
)

// What is measured fits into 80 columns, and other ways are compared round by round.
func TestTransportSheet(t *testing.T) {
	six := func(p bench.Phase, seconds float64) bench.Series {
		s := bench.Series{Phase: p}
		for i := range 6 {
			s.Seconds = append(s.Seconds, seconds*(1+float64(i)/100))
		}
		return s
	}
	h := bench.TransportSeries{Host: "dex5550", Series: []bench.Series{six(bench.RoundTrip, 0.02), six(bench.Uplink, 3)}}
	for _, way := range []fleet.Way{fleet.ByPool, fleet.ByClosure} {
		factor := map[fleet.Way]float64{fleet.ByPool: 1, fleet.ByClosure: 25}[way]
		h.Series = append(h.Series, six(bench.CopySmall.By(way), factor), six(bench.CopyLarge.By(way), 4*factor))
	}
	atOnce := six(bench.AtOnce, 2)
	var b strings.Builder
	transportSheet(bench.TransportResult{Small: 600, LargeBytes: 32 << 20, Hosts: []bench.TransportSeries{h}, AtOnce: &atOnce}).text(&b)
	text := b.String()
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	for _, want := range []string{"600 small paths of 3 kB, a large one of 32.0 MiB; 6 rounds", "large: nix-copy-closure", "10.4 MiB/s",
		"dex5550, small: nix-copy-closure takes 25.00 (25.00 to 25.00) times as long", "small, at once"} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
	if t.Failed() || testing.Verbose() {
		t.Log("\n" + text)
	}
}
