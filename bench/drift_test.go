package bench

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// simulated is a run of all phases of a host: each has a spread of its own within the
// run, and one from run to run, which is in no sample's interval.
func simulated(r *rand.Rand, rounds int, within, between float64, slower map[Phase]float64) Record {
	rec := Record{V: 1, Toplevel: "t", Environment: Environment{Machine: "m", Cores: 2, Load: 1}}
	for _, p := range []Phase{Control, Survey, EvaluateCold, EvaluateWarm, EvaluateKnown, Rebuild, Copy, Run} {
		median := 0.1 * math.Exp(between*r.NormFloat64())
		if f := slower[p]; f > 0 {
			median *= f
		}
		rec.Series = append(rec.Series, Series{Phase: p, Seconds: noisy(r, rounds, median, within)})
	}
	return rec
}

// Whole runs, with drift between them: two of an unchanged thing say so, also when
// there is no history yet; a slowdown of a fifth of one phase is found, and told of
// no other.
func TestRunsWithDrift(t *testing.T) {
	const trials, rounds = 200, 10
	for _, c := range []struct {
		within, between float64
		history         int
		// The most pairs of unchanged runs with any verdict, and the fewest slowdowns
		// found.
		alarms, found float64
	}{
		// An idle machine, as docs/performance.md has it.
		{0.05, 0.02, 1, 0.03, 0.9},
		{0.03, 0.03, 1, 0.08, 0.85},
		{0.05, 0.02, 20, 0.06, 0.8},
		// A quiet one, whose history makes less of a change count.
		{0.02, 0.01, 20, 0.05, 0.99},
		// One whose runs differ by more than their samples.
		{0.03, 0.05, 20, 0.13, 0},
	} {
		t.Run(fmt.Sprintf("within=%v,between=%v,history=%d", c.within, c.between, c.history), func(t *testing.T) {
			r := rand.New(rand.NewPCG(3, 4))
			alarms, best, found := 0, 0, 0
			for range trials {
				var earlier []Record
				for range c.history {
					earlier = append(earlier, simulated(r, rounds, c.within, c.between, nil))
				}
				alarm, alarmBest := false, false
				for _, row := range simulated(r, rounds, c.within, c.between, nil).Rows(earlier) {
					alarm = alarm || row.Last.Verdict != NoDifference
					alarmBest = alarmBest || row.Best.Verdict != NoDifference
				}
				if alarm {
					alarms++
				}
				if alarmBest {
					best++
				}
				for _, row := range simulated(r, rounds, c.within, c.between, map[Phase]float64{EvaluateCold: 1.2}).Rows(earlier) {
					if row.Phase == EvaluateCold && row.Last.Verdict == Slower {
						found++
					}
				}
			}
			t.Logf("%.1f %% of unchanged runs have a verdict against the last, %.1f %% against the best; %.1f %% of slowdowns are found",
				100*float64(alarms)/trials, 100*float64(best)/trials, 100*float64(found)/trials)
			if rate := float64(max(alarms, best)) / trials; rate > c.alarms {
				t.Errorf("%.1f %% of the unchanged runs are told apart", 100*rate)
			}
			if rate := float64(found) / trials; rate < c.found {
				t.Errorf("a slowdown of 20 %% is found in %.1f %%", 100*rate)
			}
		})
	}
}
