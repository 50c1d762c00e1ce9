package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// A selector names a host exactly if Select picks it.
func TestNamesIsSelect(t *testing.T) {
	inv := homelab()
	rapid.Check(t, func(t *rapid.T) {
		term := rapid.SampledFrom([]string{"p620", "razer", "p*", "*", "@server", "@nvidia", "!razer", "!@server", "!*"})
		selector := strings.Join(rapid.SliceOfN(term, 0, 4).Draw(t, "terms"), ",")
		picked, err := inv.Select(selector)
		for _, h := range inv.Hosts {
			want := slices.ContainsFunc(picked, func(p Host) bool { return p.Name == h.Name })
			if got := names(selector, h); got != want {
				t.Fatalf("%q names %s: %v, but Select says %v, %v", selector, h.Name, got, picked, err)
			}
		}
	})
}

// Whatever the waves, each host is in exactly one: the first that names it, or
// the last of all. In a wave the hosts keep their order.
func TestPlanProperties(t *testing.T) {
	hosts := homelab().Hosts
	rapid.Check(t, func(t *rapid.T) {
		waves := rapid.SliceOfN(rapid.SampledFrom([]string{"p620", "razer,p510", "@server", "@nvidia", "!@server", "*"}), 0, 4).Draw(t, "waves")
		plan := Rollout{Waves: waves}.Plan(hosts)
		first := func(h Host) int {
			for i, w := range waves {
				if names(w, h) {
					return i
				}
			}
			return len(waves)
		}
		var all []Host
		last := -1
		for _, w := range plan {
			if len(w) == 0 || first(w[0]) <= last {
				t.Fatalf("%v: an empty wave, or waves out of order: %v", waves, plan)
			}
			last = first(w[0])
			for i, h := range w {
				if first(h) != last || i > 0 && indexOf(hosts, h) <= indexOf(hosts, w[i-1]) {
					t.Fatalf("%v: %s does not belong there: %v", waves, h.Name, plan)
				}
			}
			all = append(all, w...)
		}
		if len(all) != len(hosts) || len(distinct(all)) != len(hosts) {
			t.Fatalf("%v: not every host once: %v", waves, plan)
		}
	})
}

func indexOf(hosts []Host, h Host) int {
	return slices.IndexFunc(hosts, func(o Host) bool { return o.Name == h.Name })
}

// rolled runs hosts through a gate: each prepares at once, and is activated for
// its length of time. It returns the order of what happened.
func rolled(t *testing.T, r Rollout, hosts []Host, do func(h Host) (time.Duration, Outcome)) (*Report, []string) {
	t.Helper()
	var mu sync.Mutex
	var log []string
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		log = append(log, fmt.Sprintf(format, args...))
	}
	f := &Fleet{Inventory: &Inventory{Hosts: hosts, Rollout: r}}
	g, starting := newGate(t.Context(), r, hosts)
	defer g.stop(nil)
	began := time.Now()
	report := f.runIn(t.Context(), AtOnce, hosts, g.behind(starting, func(ctx context.Context, j *job) (Outcome, error) {
		say("%s prepared", j.host.Name)
		took, outcome := do(j.host)
		if outcome == Unchanged {
			return outcome, nil
		}
		if err := g.enter(ctx, j); err != nil {
			return "", err
		}
		say("%s at %s", j.host.Name, time.Since(began))
		time.Sleep(took)
		if !outcome.OK() {
			return outcome, errors.New("no")
		}
		return outcome, nil
	}))
	return report, log
}

func at(log []string) string {
	var out []string
	for _, l := range log {
		if strings.Contains(l, " at ") {
			out = append(out, l)
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// All hosts prepare at once; a wave is activated once the one before has ended,
// and after the pause. A slow host holds back the later waves and nobody else.
func TestWaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := Rollout{Waves: []string{"c", "a"}, Pause: 10 * time.Second}
		report, log := rolled(t, r, append(threeHosts(), Host{Name: "d"}), func(h Host) (time.Duration, Outcome) {
			return map[string]time.Duration{"a": 5, "b": 1, "c": 2, "d": 1}[h.Name] * time.Second, Switched
		})
		for _, h := range []string{"a", "b", "c", "d"} {
			if i := slices.Index(log, h+" prepared"); i < 0 || i > 4 {
				t.Errorf("%s prepared late: %v", h, log)
			}
		}
		if got, want := at(log), "a at 12s, b at 27s, c at 0s, d at 27s"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if report.Results[0].Host.Name != "a" || report.Count(Switched) != 4 {
			t.Errorf("%+v", report.Results)
		}
	})
}

// Nothing is paused for after a wave in which nothing was activated.
func TestUnchangedWaveIsNotPausedAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := Rollout{Waves: []string{"a", "b"}, Pause: time.Minute}
		_, log := rolled(t, r, threeHosts(), func(h Host) (time.Duration, Outcome) {
			if h.Name == "a" {
				return 0, Unchanged
			}
			return time.Second, Switched
		})
		if got, want := at(log), "b at 0s, c at 1m1s"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// Once more hosts than max-failures have not ended well no further host is
// started, and they say why. Without it, waves go on.
func TestMaxFailures(t *testing.T) {
	bad := func(h Host) (time.Duration, Outcome) {
		if h.Name == "a" || h.Name == "b" {
			return time.Second, Degraded
		}
		return time.Second, Switched
	}
	zero, one := 0, 1
	for _, c := range []struct {
		limit *int
		want  string
	}{
		{&zero, "degraded skipped skipped skipped"},
		{&one, "degraded degraded skipped skipped"},
		{nil, "degraded degraded switched switched"},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := Rollout{Waves: []string{"a", "b", "c"}, MaxFailures: c.limit}
			report, _ := rolled(t, r, append(threeHosts(), Host{Name: "d"}), bad)
			var got []string
			for _, res := range report.Results {
				got = append(got, string(res.Outcome))
				if res.Outcome == Skipped && (res.Err != nil || !strings.HasPrefix(res.Reason, "not tried, because a ended as degraded")) {
					t.Errorf("%+v", res)
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("got %v, want %s", got, c.want)
			}
		})
	}
}

// Ctrl-C ends the wait: hosts of later waves are cancelled, not skipped.
func TestCancelledWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		r := Rollout{Waves: []string{"a"}}
		f := &Fleet{Inventory: &Inventory{Rollout: r}}
		g, starting := newGate(ctx, r, threeHosts())
		defer g.stop(nil)
		report := f.runIn(ctx, AtOnce, threeHosts(), g.behind(starting, func(ctx context.Context, j *job) (Outcome, error) {
			if err := g.enter(ctx, j); err != nil {
				return "", err
			}
			synctest.Wait()
			cancel(errors.New("stop"))
			return Switched, nil
		}))
		if report.Count(Switched) != 1 || report.Count(Cancelled) != 2 || report.ExitCode() != ExitCancelled {
			t.Errorf("%+v", report.Results)
		}
	})
}

// In turn means: in the order of the waves. The report has that of the hosts.
func TestTurnsFollowWaves(t *testing.T) {
	var order []string
	f := &Fleet{Inventory: &Inventory{Rollout: Rollout{Waves: []string{"c", "!a"}}}, sink: SinkFunc(func(e Event) {
		if e.Kind == KindResult {
			order = append(order, e.Host)
		}
	})}
	report := f.Deploy(t.Context(), threeHosts(), DeployOptions{Order: InTurn, Tested: &Report{}})
	if got := strings.Join(order, " "); got != "c b a" {
		t.Errorf("taken as %s", got)
	}
	for i, h := range threeHosts() {
		if report.Results[i].Host.Name != h.Name {
			t.Errorf("%d is %s", i, report.Results[i].Host.Name)
		}
	}
}
