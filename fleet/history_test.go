package fleet

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// What is learnt is there in the next run, the latest five runs of a step.
func TestHistory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "learnt")
	h := &history{dir: dir}
	if l, word := h.of("p620"); word != "" || l.usual(StepBuild) != 0 || l.left([]Step{StepBuild}) != 0 {
		t.Errorf("%+v %q", l, word)
	}
	if word := h.add("p620", learnt{}); word != "" {
		t.Error(word)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Error("something was written though nothing was learnt")
	}
	for i := range 9 {
		if word := h.add("p620", learnt{Steps: map[Step][]float64{StepBuild: {float64(i)}}}); word != "" {
			t.Fatal(word)
		}
	}
	h.add("p620", learnt{Memory: 7 << 20, Steps: map[Step][]float64{StepCopy: {1.5}}})
	h.add("razer", learnt{Memory: 9 << 20})
	h.add(checkName, learnt{Memory: 99 << 20})

	next := &history{dir: dir}
	l, word := next.of("p620")
	if word != "" || l.Memory != 7<<20 || fmt.Sprint(l.Steps[StepBuild]) != "[4 5 6 7 8]" {
		t.Errorf("%+v %q", l, word)
	}
	if got := l.left([]Step{StepBuild, StepCopy}); got != 7500*time.Millisecond {
		t.Errorf("left %v", got)
	}
	if got := l.left([]Step{StepBuild, StepActivate}); got != 0 {
		t.Errorf("left %v though a step is not known", got)
	}
	if got := next.memory(); got != 9<<20 {
		t.Errorf("the largest host takes %d", got)
	}
	info, err := os.Stat(next.file("p620"))
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() > learntMost/10 {
		t.Errorf("%v %v", info, err)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, ".part-*")); len(files) > 0 {
		t.Errorf("left behind: %v", files)
	}
}

// A file that cannot be used is set aside with a word, once, and what is learnt
// afterwards is kept.
func TestHistoryUnusable(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "damaged": "{\"version\":1,", "newer": `{"version":2,"steps":{}}`, "negative": `{"version":1,"steps":{"build":[-1]}}`,
		"too many": `{"version":1,"steps":{"build":[1,2,3,4,5,6]}}`, "endless": `{"version":1,"memory":` + strings.Repeat(" ", learntMost) + "1}",
		"of another kind": `{"version":1,"steps":[]}`,
	} {
		t.Run(name, func(t *testing.T) {
			h := &history{dir: t.TempDir()}
			if err := os.WriteFile(h.file("p620"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			l, word := h.of("p620")
			if l.Version != 0 || !strings.Contains(word, "set aside as "+h.file("p620")+".unusable") {
				t.Errorf("%+v %q", l, word)
			}
			if _, word := h.of("p620"); word != "" {
				t.Errorf("said twice: %q", word)
			}
			if word := h.add("p620", learnt{Memory: 5}); word != "" {
				t.Error(word)
			}
			if l, word := (&history{dir: h.dir}).of("p620"); l.Memory != 5 || word != "" {
				t.Errorf("%+v %q", l, word)
			}
		})
	}
}

// Where nothing can be kept that is said once, and nothing else happens.
func TestHistoryNowhere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h := &history{dir: filepath.Join(file, "learnt")}
	if _, word := h.of("a"); word == "" {
		t.Error("no word though it cannot be read")
	}
	if word := h.add("a", learnt{Memory: 1}); !strings.Contains(word, "cannot be kept") {
		t.Errorf("%q", word)
	}
	if word := h.add("b", learnt{Memory: 1}); word != "" {
		t.Errorf("%q", word)
	}
}

// Several runs learn at once: no reader ever finds a file that is torn.
func TestHistoryAtOnce(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			h := &history{dir: dir}
			for i := range 50 {
				if word := h.add("p620", learnt{Memory: int64(i + 1), Steps: map[Step][]float64{StepBuild: {1}}}); word != "" {
					t.Error(word)
				}
				if _, word := (&history{dir: dir}).of("p620"); word != "" {
					t.Error(word)
				}
			}
		})
	}
	wg.Wait()
	if l, _ := (&history{dir: dir}).of("p620"); l.Memory != 50 || len(l.Steps[StepBuild]) != learntRuns {
		t.Errorf("%+v", l)
	}
}

func TestDemand(t *testing.T) {
	for _, c := range []struct {
		d                  demand
		limit, want, error int64
	}{
		{demand{guess: 100}, 0, 100, 0},
		{demand{guess: 100}, 60, 60, 0},
		{demand{measured: 80, guess: 5}, 0, 90, 0},
		{demand{measured: 80}, 85, 85, 0},
		{demand{measured: 80}, 80, 80, 0},
		{demand{measured: 80}, 79, 90, 1},
		{demand{measured: 80, roomy: true}, 0, 90, 0},
		{demand{measured: 80, roomy: true}, 79, 79, 0},
	} {
		if got := c.d.bytes(c.limit); got != c.want {
			t.Errorf("%+v with %d: %d, want %d", c.d, c.limit, got, c.want)
		}
		if err := c.d.tooLarge(c.limit); (err != nil) != (c.error > 0) {
			t.Errorf("%+v with %d: %v", c.d, c.limit, err)
		}
	}
}

// A step's time teaches something only if it had something to do, and what is
// left counts down from step to step.
func TestExpectations(t *testing.T) {
	var events []Event
	f := &Fleet{Inventory: &Inventory{}, history: history{dir: t.TempDir()}, sink: SinkFunc(func(e Event) { events = append(events, e) })}
	f.history.add("a", learnt{Steps: map[Step][]float64{StepBuild: {20}, StepCopy: {10}, StepActivate: {5}, StepCommit: {1}}})
	j := &job{fleet: f, host: Host{Name: "a"}}
	j.lookBack()
	if left := j.decided(Plan{Deploy: true}, DeployOptions{}); left != 36*time.Second {
		t.Errorf("left %v", left)
	}
	if usual, left := j.begins(StepBuild); usual != 20*time.Second || left != 36*time.Second {
		t.Errorf("usual %v, left %v", usual, left)
	}
	j.nothing(StepBuild)
	if left := j.ends(StepBuild, time.Second); left != 16*time.Second {
		t.Errorf("left %v", left)
	}
	if _, left := j.begins(StepSurvey); left != 0 {
		t.Errorf("left %v of what was not expected", left)
	}
	if left := j.ends(StepCopy, 4*time.Second); left != 6*time.Second {
		t.Errorf("left %v", left)
	}
	j.keep()
	l, _ := (&history{dir: f.history.dir}).of("a")
	if len(l.Steps[StepBuild]) != 1 || fmt.Sprint(l.Steps[StepCopy]) != "[10 4]" || len(l.Steps[StepSurvey]) != 0 {
		t.Errorf("%+v", l)
	}
	f.announce([]Host{{Name: "a"}, {Name: "b"}}, StepBuild, StepCopy)
	if len(events) != 1 || events[0].Kind != KindExpected || events[0].Host != "a" || events[0].Left != 30*time.Second {
		t.Errorf("%+v", events)
	}
}

// BenchmarkHistory is what a run that has nothing to do reads of a host.
func BenchmarkHistory(b *testing.B) {
	dir := b.TempDir()
	full := learnt{Memory: 1 << 30, Steps: map[Step][]float64{}}
	for _, s := range []Step{StepEvaluate, StepBuild, StepCopy, StepActivate, StepCommit} {
		full.Steps[s] = []float64{1.234, 2.345, 3.456, 4.567, 5.678}
	}
	if word := (&history{dir: dir}).add("p620", full); word != "" {
		b.Fatal(word)
	}
	for b.Loop() {
		if l, _ := (&history{dir: dir}).of("p620"); l.Memory == 0 {
			b.Fatal("nothing is known")
		}
	}
}
