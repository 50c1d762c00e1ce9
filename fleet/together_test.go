package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// Hosts are divided by what they take, in their order, and so that every evaluator has
// the memory that its hosts would take one by one.
func TestDivide(t *testing.T) {
	const gib = 1 << 30
	for name, c := range map[string]struct {
		places    int
		limit     int64
		available int64
		hosts     []learnt
		want      string
	}{
		"nothing known":              {2, 0, 64 * gib, make([]learnt, 5), "[[0 2 4] [1 3]]"},
		"no more than places":        {2, 0, 64 * gib, make([]learnt, 2), "[]"},
		"one is slow":                {2, 0, 64 * gib, []learnt{{}, timed(9), timed(1), {}}, "[[1 2] [0 3]]"},
		"one is very slow":           {2, 0, 64 * gib, []learnt{timed(1), timed(9), timed(1), timed(1)}, "[[1] [0 2 3]]"},
		"enough memory":              {2, 4 * gib, 0, make([]learnt, 4), "[[0 2] [1 3]]"},
		"little memory":              {2, 4 * gib, 0, make([]learnt, 7), "[[0 4] [1 5] [2 6] [3]]"},
		"hardly any":                 {2, 2 * gib, 0, make([]learnt, 4), "[[0] [1] [2] [3]]"},
		"less than one takes":        {2, gib, 0, make([]learnt, 4), "[[] [] [] []]"},
		"one is large":               {2, 6 * gib, 0, []learnt{{Memory: 3 * gib}, {}, {}, {}}, "[[] [1] [2]]"},
		"memory is not known":        {2, 0, 0, make([]learnt, 5), "[]"},
		"how many there may be at 0": {0, 0, 0, make([]learnt, 4), "[]"},
	} {
		f := &Fleet{stages: stages{memory: &memory{limit: c.limit, places: c.places, available: func() int64 { return c.available }}}}
		var all []*member
		for i, past := range c.hosts {
			all = append(all, &member{host: Host{Name: fmt.Sprint(i)}, past: past})
		}
		got := [][]string{}
		for _, g := range f.divide(all) {
			names := []string{}
			for _, m := range g {
				names = append(names, m.host.Name)
			}
			got = append(got, names)
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("%s: %v, want %s", name, got, c.want)
		}
	}
}

func timed(seconds float64) learnt { return learnt{Steps: map[Step][]float64{StepEvaluate: {seconds}}} }

// sharing is a Nix whose evaluators do as they are told.
type sharing struct {
	fakeNix
	mu        sync.Mutex
	cancelled int
	alone     []string
	turns     chan func(opt nixcmd.TogetherOptions) error
}

func (s *sharing) SettingsKey() (string, error) { return "", errors.New("no settings") }

func (s *sharing) Evaluate(_ context.Context, what nixcmd.Installable, _ nixcmd.EvaluateOptions) (nixcmd.Evaluation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alone = append(s.alone, what.String())
	return nixcmd.Evaluation{Toplevel: "/nix/store/00000000000000000000000000000000-alone"}, nil
}

func (s *sharing) InEvaluationCache(context.Context, nixcmd.Installable) (bool, error) {
	return false, nil
}

func (s *sharing) EvaluateTogether(ctx context.Context, _ []nixcmd.Installable, opt nixcmd.TogetherOptions) error {
	for {
		select {
		case turn := <-s.turns:
			if err := turn(opt); err != nil {
				return err
			}
		case <-ctx.Done():
			s.mu.Lock()
			defer s.mu.Unlock()
			s.cancelled++
			return ctx.Err()
		}
	}
}

// shared is a run of three hosts on one place, all of which share an evaluator.
func shared(t *testing.T, nix *sharing, each func(ctx context.Context, j *job) (Outcome, error)) func() *Report {
	t.Helper()
	f := &Fleet{Inventory: &Inventory{Dir: t.TempDir()}, nix: nix, stateDir: t.TempDir(), stages: newStages(Limits{Evaluations: 1, Memory: 8 << 30})}
	hosts := []Host{{Name: "a", Attr: "a"}, {Name: "b", Attr: "b"}, {Name: "c", Attr: "c"}}
	return func() *Report { return f.run(t.Context(), hosts, each) }
}

func found(i int, name string) func(nixcmd.TogetherOptions) error {
	return func(opt nixcmd.TogetherOptions) error {
		opt.Begun(i)
		opt.Found(i, nixcmd.Evaluation{Toplevel: nixcmd.StorePath("/nix/store/00000000000000000000000000000000-" + name), Together: true})
		return nil
	}
}

// Each host goes on when it has its answer; who has none when the evaluator ends is
// evaluated alone.
func TestSharedEvaluatorThatFails(t *testing.T) {
	nix := &sharing{turns: make(chan func(nixcmd.TogetherOptions) error)}
	next := make(chan string)
	run := shared(t, nix, func(ctx context.Context, j *job) (Outcome, error) {
		ev, err := j.evaluate(ctx, false)
		if ev.Toplevel.Name() == "a" {
			next <- "a goes on"
		}
		return Evaluated, err
	})
	go func() {
		nix.turns <- found(0, "a")
		<-next
		nix.turns <- func(opt nixcmd.TogetherOptions) error { opt.Begun(1); return errors.New("b is broken") }
	}()
	r := run()
	if got := r.Results[0].Wanted.Name(); got != "a" || r.Err() != nil {
		t.Errorf("%s, %v", got, r.Err())
	}
	slices.Sort(nix.alone)
	if len(nix.alone) != 2 || r.Results[1].Wanted.Name() != "alone" || r.Results[2].Wanted.Name() != "alone" {
		t.Errorf("%v", nix.alone)
	}
}

// The evaluator runs for as long as any of its hosts has use for it, and no longer.
func TestSharedEvaluatorThatNobodyWants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nix := &sharing{turns: make(chan func(nixcmd.TogetherOptions) error)}
		gone := errors.New("the host does not answer")
		giveUp := make(chan struct{})
		run := shared(t, nix, func(ctx context.Context, j *job) (Outcome, error) {
			if j.host.Name == "c" { // never gets as far as that
				<-giveUp
				return "", gone
			}
			ctx, cancel := context.WithCancelCause(ctx)
			go func() { <-giveUp; cancel(gone) }()
			_, err := j.evaluate(ctx, false)
			return Evaluated, err
		})
		done := make(chan *Report)
		go func() { done <- run() }()
		nix.turns <- found(0, "a")
		synctest.Wait()
		if nix.cancelled != 0 {
			t.Error("it is cancelled while two want it")
		}
		close(giveUp)
		r := <-done
		if nix.cancelled != 1 || len(nix.alone) != 0 {
			t.Errorf("cancelled %d times, alone %v", nix.cancelled, nix.alone)
		}
		if r.Results[0].Outcome != Evaluated || !errors.Is(r.Results[1].Err, gone) || !errors.Is(r.Results[2].Err, gone) {
			t.Errorf("%v %v %v", r.Results[0].Outcome, r.Results[1].Err, r.Results[2].Err)
		}
	})
}
