package recipes

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/nixflotilla/flotilla/bench"
	"github.com/nixflotilla/flotilla/fleet"
)

// around are ten times about a median.
func around(median float64) []float64 {
	out := []float64{0.97, 0.98, 0.99, 0.995, 1, 1, 1.005, 1.01, 1.02, 1.03}
	for i := range out {
		out[i] *= median
	}
	return out
}

func aRecord(at time.Time, scale float64) bench.Record {
	return bench.Record{
		Time: at, Host: "razer", Toplevel: "/nix/store/2rx5lv6q-razer",
		Environment: bench.Environment{Machine: "m", Cores: 2, Load: 0.25, Nix: "2.26.3", Store: "local"},
		Rebuilt:     []string{"etc.drv", "nixos-system-razer.drv"},
		Series: []bench.Series{
			{Phase: bench.Control, Seconds: around(0.040)},
			{Phase: bench.Survey, Seconds: around(0.0121)},
			{Phase: bench.EvaluateCold, Seconds: around(4.2 * scale), CPU: around(4), MaxRSS: []int64{500 << 20}},
			{Phase: bench.EvaluateWarm, Seconds: around(0.061)},
			{Phase: bench.Rebuild, Seconds: around(75 / scale)},
		},
	}
}

func shown(b benchmarked) string {
	b.rows = b.record.Rows(b.earlier)
	var out bytes.Buffer
	_ = b.sheet().text(&out)
	return out.String()
}

func wantText(t *testing.T, got, want string) {
	t.Helper()
	if got != strings.TrimPrefix(want, "\n") {
		t.Errorf("got:\n%s\nwant:%s", got, want)
	}
	for line := range strings.Lines(got) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestBenchHostText(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 11, n, 12, 0, 0, 0, time.Local) }
	wantText(t, shown(benchmarked{record: aRecord(day(1), 1)}), `
razer: 10 rounds after one to warm up; 2 cores, load 0.2, Nix 2.26.3
PHASE           MEDIAN  95 % INTERVAL    AGAINST LAST  AGAINST BEST
control        40.0 ms  39.2 to 40.8 ms  first run     first run
survey         12.1 ms  11.9 to 12.3 ms  first run     first run
evaluate-cold   4.20 s  4.12 to 4.28 s   first run     first run
evaluate-warm  61.0 ms  59.8 to 62.2 ms  first run     first run
rebuild         75.0 s  73.5 to 76.5 s   first run     first run
- rebuild: 2 derivations of its own, in Nix's check mode
`)
	now := aRecord(day(3), 1.2)
	now.NotMeasured = map[bench.Phase]string{bench.Copy: "it would change the host: it runs abc, wanted is def"}
	now.LeftOut = []string{"initrd.drv"}
	now.Environment.Load = 1.5
	before := aRecord(day(2), 1)
	before.Toplevel, before.Environment.Nix = "/nix/store/other", "2.24.0"
	wantText(t, shown(benchmarked{record: now, earlier: []bench.Record{aRecord(day(1), 1.5), before}, skipped: 2, path: "/root/.local/state/flotilla/bench/0123456789abcdef/razer.jsonl"}), `
razer: 10 rounds after one to warm up; 2 cores, load 1.5, Nix 2.26.3
PHASE           MEDIAN  95 % INTERVAL    AGAINST LAST   AGAINST BEST
control        40.0 ms  39.2 to 40.8 ms  no difference  no difference
survey         12.1 ms  11.9 to 12.3 ms  no difference  no difference
evaluate-cold   5.04 s  4.94 to 5.14 s   20 % slower    20 % slower
evaluate-warm  61.0 ms  59.8 to 62.2 ms  no difference  no difference
rebuild         62.5 s  61.2 to 63.8 s   17 % faster    25 % slower
- rebuild: 2 derivations of its own, in Nix's check mode; left out, because they
  cannot be built again: initrd
- copy-nothing was not measured: it would change the host: it runs abc, wanted
  is def
- last: 2026-11-02 12:00, with another system, Nix 2.24.0; best: each phase's
  lowest median of 2
- 2 lines of /root/.local/state/flotilla/bench/0123456789abcdef/razer.jsonl
  could not be understood, and were passed over
`)
	slowed := aRecord(day(2), 1.2)
	slowed.Series[0].Seconds = around(0.045)
	wantText(t, shown(benchmarked{record: slowed, earlier: []bench.Record{aRecord(day(1), 1)}}), `
razer: 10 rounds after one to warm up; 2 cores, load 0.2, Nix 2.26.3
PHASE           MEDIAN  95 % INTERVAL    AGAINST LAST   AGAINST BEST
control        45.0 ms  44.1 to 45.9 ms  no difference  no difference
survey         12.1 ms  11.9 to 12.3 ms  no difference  no difference
evaluate-cold   5.04 s  4.94 to 5.14 s   unclear        unclear
evaluate-warm  61.0 ms  59.8 to 62.2 ms  no difference  no difference
rebuild         62.5 s  61.2 to 63.8 s   17 % faster    17 % faster
- rebuild: 2 derivations of its own, in Nix's check mode
- last: 2026-11-01 12:00; best: each phase's lowest median of 1
- unclear: the machine itself (control) was 12 % slower than in the last run,
  too
- unclear: the machine itself (control) was 12 % slower than in the best run,
  too
`)
}

func TestCachesText(t *testing.T) {
	r := &fleet.CacheReport{
		Hosts: &fleet.Report{Results: make([]fleet.Result, 4)}, NotBuilt: []fleet.Host{{Name: "dex5550"}}, Paths: 3650, Bytes: 9 << 30,
		Caches: []fleet.CacheMeasurement{
			{URL: "https://cache.nixos.org", Latency: []time.Duration{12 * time.Millisecond}, Asked: 1000, Found: 990, Usable: 990,
				AskedBytes: 100, UsableBytes: 99, Downloaded: 128 << 20, Took: 4 * time.Second},
			{URL: "http://a-cache-with-a-long-name.example.org:5000\x1b[31m", Err: errors.New("no answer within 5 s"), Gave: 5 * time.Second},
			{URL: "http://p620:5000", Own: true, Latency: []time.Duration{800 * time.Microsecond}, Asked: 1000, Found: 1000, Usable: 0, AskedBytes: 100},
		},
	}
	var out bytes.Buffer
	cachesSheet(r).text(&out)
	wantText(t, out.String(), `
the closures of 3 hosts: 3650 paths, 9.0 GiB
CACHE                           LATENCY    HAS  USABLE  OF BYTES  THROUGHPUT
https://cache.nixos.org         12.0 ms   99 %    99 %      99 %  32.0 MiB/s
http://a-cache-with-a-long-na…  down, as was clear after 5.0 s
http://p620:5000                0.80 ms  100 %     0 %       0 %           -
- https://cache.nixos.org was asked for 1000 of the 3650 paths
- http://a-cache-with-a-long-name.example.org:5000: no answer within 5 s
- http://p620:5000: 1000 of the paths it has are signed by no key that Nix
  trusts here; Nix will not take them (trusted-public-keys)
- http://p620:5000 was asked for 1000 of the 3650 paths
- not built here, so that its closure is not known: dex5550
`)
}

func TestParallelAndMemoryText(t *testing.T) {
	var out bytes.Buffer
	e := bench.Environment{Cores: 8, Load: 0.1, Nix: "2.34.8", Store: "daemon", Available: 12 << 30}
	parallelSheet(bench.ParallelResult{Hosts: []string{"a", "b", "c", "d"}, Environment: e, Evaluations: 3, Builds: 8,
		Series:   []bench.Series{{Phase: bench.InTurn, Seconds: around(20)}, {Phase: bench.AtOnce, Seconds: around(8)}},
		Speedups: around(2.5)}).text(&out)
	memorySheet(bench.MemoryResult{Environment: e, Evaluations: 3, Hosts: []bench.HostMemory{
		{Host: "p620", Evaluator: 1100 << 20, EvaluatorCPU: 5.1, Builder: 40 << 20, BuilderCPU: 0.3, Rebuilt: 9},
		{Host: "razer", Evaluator: 900 << 20, EvaluatorCPU: 4.8, Builder: 41 << 20, BuilderCPU: 0.25, Rebuilt: 12},
	}}).text(&out)
	wantText(t, out.String(), `
4 hosts on 8 cores, load 0.1, Nix 2.34.8; at most 3 evaluations and 8 builds at
  once
TESTED   MEDIAN  95 % INTERVAL
in-turn  20.0 s  19.6 to 20.4 s
at-once  8.00 s  7.84 to 8.16 s
speed-up 2.50 (2.45 to 2.55), efficiency 83 % of the 3 that cores, hosts and the
  limit of evaluations allow, 31 % of the 8 cores
HOST   EVALUATOR     CPU  BUILDERS     CPU  BUILT AGAIN
p620     1.1 GiB  5.10 s  40.0 MiB  300 ms            9
razer  900.0 MiB  4.80 s  41.0 MiB  250 ms           12
largest evaluator 1.1 GiB, the 2 of them together 2.0 GiB; 12.0 GiB of memory
  available
memory would hold 11 of the largest at once; limits.evaluations in force: 3, on
  8 cores
- builds are not done by `+"`"+`nix build`+"`"+` itself (store: daemon): BUILDERS is that
  alone, which waits for them
- each is the peak of the largest single process; those of different moments do
  not add up
`)
}

func TestFigures(t *testing.T) {
	for seconds, want := range map[float64]string{0: "0.00 ms", 0.00123: "1.23 ms", 0.0123: "12.3 ms", 0.123: "123 ms", 1.234: "1.23 s", 12.34: "12.3 s", 75: "75.0 s", 123.4: "123 s"} {
		if got := figure(seconds); got != want {
			t.Errorf("%v: %q, want %q", seconds, got, want)
		}
	}
	for want, s := range map[string]bench.Summary{
		"-": {N: 3}, "1.00 to 2.00 s": {Low: 1, High: 2}, "953 ms to 1.00 s": {Low: 0.953, High: 1},
	} {
		if got := interval(s); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// On a busy machine nothing is slower or faster, and it says why.
func TestBenchHostTextBusy(t *testing.T) {
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.Local)
	now, before := aRecord(at, 1.2), aRecord(at, 1)
	now.Environment.Load = 2.5
	got := shown(benchmarked{record: now, earlier: []bench.Record{before}})
	for _, want := range []string{"evaluate-cold   5.04 s  4.94 to 5.14 s   unclear ",
		"- the machine was busy before it began (load 2.5 on 2 cores): the figures are of\n  that, too, and differences are unclear\n", ", with load 0.2; best"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	if strings.Contains(got, "slower") {
		t.Errorf("a verdict all the same:\n%s", got)
	}
}
