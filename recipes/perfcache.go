package recipes

import (
	"errors"
	"fmt"
	"time"

	"github.com/nixflotilla/flotilla/bench"
	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/ui"
	"github.com/nixflotilla/flotilla/nixcmd"
)

func cachesSheet(r *fleet.CacheReport) sheet {
	about := fmt.Sprintf("the closures of %s: %s, %s", ui.Count(len(r.Hosts.Results)-len(r.NotBuilt), "host"), ui.Count(r.Paths, "path"), ui.Bytes(r.Bytes))
	head := []ui.Cell{{Text: "CACHE"}, {Text: "LATENCY", Right: true}, {Text: "HAS", Right: true}, {Text: "USABLE", Right: true},
		{Text: "OF BYTES", Right: true}, {Text: "THROUGHPUT", Right: true}}
	var rows [][]ui.Cell
	var notes []string
	for _, c := range r.Caches {
		name := c.URL
		if len([]rune(name)) > 30 {
			name = string([]rune(name)[:29]) + "…"
		}
		if len(c.Latency) == 0 && c.Err != nil {
			what := ui.Cell{Text: "down, as was clear after " + ui.Seconds(c.Gave), Tone: ui.Bad}
			if errors.Is(c.Err, nixcmd.ErrCacheKind) {
				what = ui.Cell{Text: "not measured", Tone: ui.Doubtful}
			}
			rows = append(rows, []ui.Cell{{Text: name}, what})
			notes = append(notes, fmt.Sprintf("%s: %v", c.URL, c.Err))
			continue
		}
		usable := ui.Cell{Text: share(int64(c.Usable), int64(c.Asked)), Right: true}
		if c.Usable < c.Found {
			usable.Tone = ui.Bad
			notes = append(notes, fmt.Sprintf("%s: %d of the paths it has are signed by no key that Nix trusts here; Nix will not take them (trusted-public-keys)", c.URL, c.Found-c.Usable))
		}
		rows = append(rows, []ui.Cell{{Text: name}, {Text: figure(latency(c)), Right: true},
			{Text: share(int64(c.Found), int64(c.Asked)), Right: true}, usable,
			{Text: share(c.UsableBytes, c.AskedBytes), Right: true}, {Text: throughput(c), Right: true}})
		if c.Err != nil {
			notes = append(notes, fmt.Sprintf("%s: %v", c.URL, c.Err))
		}
		if c.Downloaded > 0 && c.Downloaded < fewBytes {
			notes = append(notes, fmt.Sprintf("%s: its throughput is of %s in all, and so says more of its latency", c.URL, ui.Bytes(c.Downloaded)))
		}
		if c.Asked < r.Paths {
			notes = append(notes, fmt.Sprintf("%s was asked for %d of the %d paths", c.URL, c.Asked, r.Paths))
		}
	}
	if len(r.NotBuilt) > 0 {
		notes = append(notes, "not built here, so that its closure is not known: "+names(r.NotBuilt))
	}
	return sheet{title: "Caches", before: []string{about}, head: head, rows: rows}.warned(notes)
}

// fewBytes are so few that how fast they come says little.
const fewBytes = 1 << 20

// latency is the median of the later answers in seconds.
func latency(c fleet.CacheMeasurement) float64 {
	var seconds []float64
	for _, l := range c.Latency {
		seconds = append(seconds, l.Seconds())
	}
	return bench.Summarize(seconds).Median
}

func share(part, all int64) string {
	if all == 0 {
		return "-"
	}
	// 100 % is all of them.
	return fmt.Sprintf("%d %%", part*100/all)
}

func throughput(c fleet.CacheMeasurement) string {
	if c.Downloaded == 0 || c.Took <= 0 {
		return "-"
	}
	return ui.Bytes(int64(float64(c.Downloaded)/c.Took.Seconds())) + "/s"
}

type jsonCaches struct {
	V        int         `json:"v"`
	Kind     string      `json:"kind"`
	Hosts    []string    `json:"hosts"`
	NotBuilt []string    `json:"not_built,omitempty"`
	Paths    int         `json:"paths"`
	Bytes    int64       `json:"bytes"`
	Caches   []jsonCache `json:"caches"`
}

type jsonCache struct {
	URL         string    `json:"url"`
	Own         bool      `json:"own"`
	Error       string    `json:"error,omitempty"`
	Gave        float64   `json:"given_up_after_seconds,omitempty"`
	Connect     float64   `json:"connect_seconds,omitempty"`
	Latency     []float64 `json:"latency_seconds,omitempty"`
	Asked       int       `json:"asked"`
	Found       int       `json:"found"`
	Usable      int       `json:"usable"`
	AskedBytes  int64     `json:"asked_bytes"`
	UsableBytes int64     `json:"usable_bytes"`
	Downloaded  int64     `json:"downloaded_bytes"`
	Took        float64   `json:"download_seconds,omitempty"`
}

func newJSONCaches(r *fleet.CacheReport) jsonCaches {
	out := jsonCaches{V: 1, Kind: "caches", Hosts: []string{}, Paths: r.Paths, Bytes: r.Bytes, Caches: []jsonCache{}}
	for _, res := range r.Hosts.Results {
		out.Hosts = append(out.Hosts, res.Host.Name)
	}
	for _, h := range r.NotBuilt {
		out.NotBuilt = append(out.NotBuilt, h.Name)
	}
	seconds := func(d time.Duration) float64 { return d.Seconds() }
	for _, c := range r.Caches {
		one := jsonCache{URL: ui.Harmless(c.URL, false), Own: c.Own, Gave: seconds(c.Gave), Connect: seconds(c.Connect),
			Asked: c.Asked, Found: c.Found, Usable: c.Usable, AskedBytes: c.AskedBytes, UsableBytes: c.UsableBytes,
			Downloaded: c.Downloaded, Took: seconds(c.Took)}
		if c.Err != nil {
			one.Error = ui.Harmless(c.Err.Error(), false)
		}
		for _, l := range c.Latency {
			one.Latency = append(one.Latency, seconds(l))
		}
		out.Caches = append(out.Caches, one)
	}
	return out
}
