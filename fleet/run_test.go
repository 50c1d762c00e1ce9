package fleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

func threeHosts() []Host { return []Host{{Name: "a"}, {Name: "b"}, {Name: "c"}} }

// In turn means: never two at the same time, and in the order given.
func TestRunInTurn(t *testing.T) {
	var mu sync.Mutex
	var took []string
	r := new(Fleet).runIn(t.Context(), InTurn, threeHosts(), func(_ context.Context, j *job) (Outcome, error) {
		if !mu.TryLock() {
			t.Error("two at the same time")
			return "", errors.New("overlap")
		}
		defer mu.Unlock()
		took = append(took, j.host.Name)
		if j.host.Name == "b" {
			return "", errors.New("no")
		}
		return Switched, nil
	})
	if !slices.Equal(took, []string{"a", "b", "c"}) || r.ExitCode() != ExitSomeFailed || r.Results[2].Outcome != Switched {
		t.Errorf("took %v: %+v", took, r.Results)
	}
}

// At once means: none waits for another. Each host's work ends only when all
// have begun.
func TestRunAtOnce(t *testing.T) {
	var begun sync.WaitGroup
	begun.Add(3)
	r := new(Fleet).run(t.Context(), threeHosts(), func(context.Context, *job) (Outcome, error) {
		begun.Done()
		begun.Wait()
		return Switched, nil
	})
	if r.ExitCode() != ExitOK || r.Count(Switched) != 3 {
		t.Errorf("%+v", r.Results)
	}
}

// After the first host that did not end well the others are skipped, with the
// reason, whatever its outcome was.
func TestRunUntilFailure(t *testing.T) {
	for _, bad := range []Outcome{Failed, Degraded, Locked, Unreachable, RolledBack} {
		var results []Result
		f := &Fleet{sink: SinkFunc(func(e Event) {
			if e.Kind == KindResult {
				results = append(results, *e.Result)
			}
		})}
		tried := 0
		r := f.runIn(t.Context(), UntilFailure, append(threeHosts(), Host{Name: "d"}), func(_ context.Context, j *job) (Outcome, error) {
			tried++
			if j.host.Name == "b" {
				return bad, errors.New("no")
			}
			return Switched, nil
		})
		if tried != 2 || r.Results[0].Outcome != Switched || r.Results[1].Outcome != bad || r.Count(Skipped) != 2 || len(results) != 4 {
			t.Errorf("%s: tried %d: %+v", bad, tried, r.Results)
		}
		if got, want := r.Results[3].Reason, "not tried, because b ended as "+string(bad); got != want || r.Results[3].Err != nil {
			t.Errorf("reason %q, want %q", got, want)
		}
	}
}

// A cancelled run skips nobody: the hosts that were not reached say that they
// were cancelled.
func TestRunInTurnCancelled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	r := new(Fleet).runIn(ctx, UntilFailure, threeHosts(), func(ctx context.Context, j *job) (Outcome, error) {
		if j.host.Name == "a" {
			cancel(stop)
		}
		return "", context.Cause(ctx)
	})
	if r.Count(Cancelled) != 3 || r.ExitCode() != ExitCancelled {
		t.Errorf("%+v", r.Results)
	}
}

// A deployment of what was tested fails untouched for a host that was not.
func TestDeployOnlyWhatWasTested(t *testing.T) {
	tested := &Report{Results: []Result{{Host: Host{Name: "a"}, Outcome: Failed}}}
	r := new(Fleet).Deploy(t.Context(), []Host{{Name: "a"}, {Name: "b"}}, DeployOptions{Tested: tested})
	for _, res := range r.Results {
		var se *StepError
		if res.Outcome != Failed || !errors.As(res.Err, &se) || !errors.Is(res.Err, errNotTested) {
			t.Errorf("%+v", res)
		}
	}
}

// docs/exit-codes.md is a promise: each outcome's row says the exit code of a
// run with that outcome alone, and beside a host that ended well. No outcome
// is missing there, and OK means exit code 0.
func TestExitCodeOfEachOutcome(t *testing.T) {
	text, err := os.ReadFile("../docs/exit-codes.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range everyOutcome(t) {
		r := func(outcomes ...Outcome) int {
			r := &Report{Cancelled: slices.Contains(outcomes, Cancelled)}
			for _, o := range outcomes {
				r.Results = append(r.Results, Result{Outcome: o})
			}
			return r.ExitCode()
		}
		alone, beside := r(o), r(o, Switched)
		if row := fmt.Sprintf("| `%s` | %d | %d |", o, alone, beside); strings.Count(string(text), row) != 1 {
			t.Errorf("no row %s", row)
		}
		if o.OK() != (alone == ExitOK) || o.OK() != (beside == ExitOK) {
			t.Errorf("%s: OK is %v, exit codes %d and %d", o, o.OK(), alone, beside)
		}
	}
}

// everyOutcome is the closed set, as outcome.go declares it.
func everyOutcome(t *testing.T) []Outcome {
	t.Helper()
	source, err := os.ReadFile("outcome.go")
	if err != nil {
		t.Fatal(err)
	}
	var all []Outcome
	for _, m := range regexp.MustCompile(`(?m)^\t\w+ Outcome = "([a-z-]+)"$`).FindAllStringSubmatch(string(source), -1) {
		all = append(all, Outcome(m[1]))
	}
	if n := strings.Count(string(source), "Outcome = \""); n < 14 || n != len(all) {
		t.Fatalf("%d of %d outcomes found in outcome.go", len(all), n)
	}
	return all
}
