package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Rounds are interleaved: each has every task once, every other in the opposite
// order, so that no task has its place before another more than once more often.
// Samples stay with their task, in the order of the rounds, without warm-ups.
func TestScenarioInterleaves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tasks, rounds := rapid.IntRange(1, 6).Draw(t, "tasks"), rapid.IntRange(1, 9).Draw(t, "rounds")
		warmups := rapid.IntRange(0, 2).Draw(t, "warmups")
		var done []int
		var told []int
		s := Scenario{Warmups: warmups, Rounds: rounds, Progress: func(n int) { told = append(told, n) }}
		for i := range tasks {
			s.Tasks = append(s.Tasks, Task{Phase(fmt.Sprint(i)), func(context.Context) (Sample, error) {
				done = append(done, i)
				return Sample{Duration: time.Duration(len(done)) * time.Second, MaxRSS: int64(i + 1)}, nil
			}})
		}
		all, err := s.Run(context.Background())
		if err != nil || len(all) != tasks || len(done) != tasks*(rounds+warmups) || len(told) != rounds+warmups || told[len(told)-1] != rounds {
			t.Fatalf("%v: %d series, %d done, told %v", err, len(all), len(done), told)
		}
		first := 0
		for n := range rounds + warmups {
			round := slices.Clone(done[n*tasks : (n+1)*tasks])
			if round[0] == 0 {
				first++
			} else {
				first--
			}
			slices.Sort(round)
			for i := range tasks {
				if round[i] != i {
					t.Fatalf("round %d: %v", n, round)
				}
			}
		}
		if tasks > 1 && (first < 0 || first > 1) {
			t.Fatalf("the first task was first %d times more often than the last", first)
		}
		for i, series := range all {
			if series.Phase != Phase(fmt.Sprint(i)) || len(series.Seconds) != rounds || !slices.IsSorted(series.Seconds) {
				t.Fatalf("%+v", series)
			}
			for k, at := range series.Seconds {
				if done[int(at)-1] != i || series.MaxRSS[k] != int64(i+1) {
					t.Fatalf("a sample of task %d is in series %d", done[int(at)-1], i)
				}
			}
		}
	})
}

// An error ends it at once, and there is no half a result.
func TestScenarioFails(t *testing.T) {
	broken := errors.New("broken")
	n := 0
	s := Scenario{Rounds: 5, Tasks: []Task{{"a", func(context.Context) (Sample, error) {
		if n++; n == 3 {
			return Sample{}, broken
		}
		return Sample{}, nil
	}}}}
	if all, err := s.Run(t.Context()); !errors.Is(err, broken) || all != nil || n != 3 {
		t.Errorf("%v, %v after %d", all, err, n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Run(ctx); !errors.Is(err, context.Canceled) || n != 3 {
		t.Errorf("cancelled: %v after %d", err, n)
	}
	if _, err := (Scenario{}).Run(t.Context()); err == nil {
		t.Error("no rounds, and no error")
	}
}
