package bench

import (
	"context"
	"errors"
	"slices"
)

// Task is something that can be measured again and again.
type Task struct {
	// Phase is what its samples are of; unique in a scenario.
	Phase Phase
	// Do does it once. An error ends the benchmark.
	Do func(context.Context) (Sample, error)
}

// Scenario is a list of tasks that are measured together.
type Scenario struct {
	// Tasks are done in each round.
	Tasks []Task
	// Warmups is how many rounds are done first, whose samples are dropped.
	Warmups int
	// Rounds is how many samples are taken of each task; at least 1.
	Rounds int
	// Progress is called before each round: with 0 before the warm-ups, then with
	// the number of the round, from 1. nil means nobody looks.
	Progress func(round int)
}

// Series are the samples of one phase, in the order in which they were taken. The
// lists are of the same length, or nil where nothing is known.
type Series struct {
	// Phase is what they are of.
	Phase Phase `json:"phase"`
	// Seconds are wall times, CPU processor times, in seconds.
	Seconds []float64 `json:"seconds"`
	CPU     []float64 `json:"cpu_seconds,omitempty"`
	// MaxRSS are the largest resident sets of single children, in bytes.
	MaxRSS []int64 `json:"max_rss_bytes,omitempty"`
}

func (s *Series) add(one Sample) {
	s.Seconds = append(s.Seconds, one.Duration.Seconds())
	if one.MaxRSS > 0 {
		s.CPU = append(s.CPU, one.CPU.Seconds())
		s.MaxRSS = append(s.MaxRSS, one.MaxRSS)
	}
}

// Run takes the samples. The tasks of a round follow each other, so that what
// disturbs the machine for a while disturbs all of them; and every other round
// goes backwards, so that what changes steadily does not favour the first. The
// result has a series for each task, in their order. When a task fails, or ctx is
// done, there is an error and no result.
func (s Scenario) Run(ctx context.Context) ([]Series, error) {
	if s.Rounds < 1 {
		return nil, errors.New("a benchmark needs at least one round")
	}
	all := make([]Series, len(s.Tasks))
	order := make([]int, len(s.Tasks))
	for i, t := range s.Tasks {
		all[i].Phase, order[i] = t.Phase, i
	}
	for round := 1 - s.Warmups; round <= s.Rounds; round++ {
		if s.Progress != nil {
			s.Progress(max(0, round))
		}
		for _, i := range order {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			sample, err := s.Tasks[i].Do(ctx)
			if err != nil {
				return nil, err
			}
			if round >= 1 {
				all[i].add(sample)
			}
		}
		slices.Reverse(order)
	}
	return all, nil
}
