package fleet

import (
	"slices"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// expect says which steps the work still has, as far as it is known.
func (j *job) expect(steps ...Step) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ahead = steps
}

// decided says which steps a deployment still has, and returns how long they
// take.
func (j *job) decided(plan Plan, opt DeployOptions) time.Duration {
	if !plan.Deploy {
		return 0
	}
	var steps []Step
	if opt.Tested == nil && opt.Prebuilt == nil {
		steps = append(steps, StepBuild)
	}
	if b, err := j.builder(); err != nil || b.Name != j.host.Name {
		steps = append(steps, StepCopy)
	}
	steps = append(steps, StepActivate)
	if !opt.SkipHealth && len(j.fleet.Inventory.Health.of(j.host)) > 0 {
		steps = append(steps, StepHealth)
	}
	steps = append(steps, StepCommit)
	j.expect(steps...)
	return j.past.left(steps)
}

// left is how long the steps ahead take, 0 if that of any is not known.
func (l learnt) left(ahead []Step) time.Duration {
	var all time.Duration
	for _, s := range ahead {
		usual := l.usual(s)
		if usual == 0 {
			return 0
		}
		all += usual
	}
	return all
}

// begins returns, for a step that begins, its usual time and that of the rest of
// the work with it. What was to come before it is not to come any more.
func (j *job) begins(s Step) (usual, left time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if i := slices.Index(j.ahead, s); i >= 0 {
		j.ahead = j.ahead[i:]
		left = j.past.left(j.ahead)
	}
	return j.past.usual(s), left
}

// ends returns, for a step that has ended, the usual time of the rest of the work,
// and takes note of how long it took, unless it had nothing to do.
func (j *job) ends(s Step, took time.Duration) (left time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if i := slices.Index(j.ahead, s); i >= 0 {
		j.ahead = j.ahead[i+1:]
		left = j.past.left(j.ahead)
	}
	if s == StepSurvey || s == StepCompare || s == StepWait || j.idle[s] {
		return left
	}
	if j.fresh.Steps == nil {
		j.fresh.Steps = make(map[Step][]float64)
	}
	j.fresh.Steps[s] = append(j.fresh.Steps[s], took.Round(time.Millisecond).Seconds())
	return left
}

// nothing says that a step had nothing to do, so that its time says nothing.
func (j *job) nothing(s Step) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.idle == nil {
		j.idle = make(map[Step]bool)
	}
	j.idle[s] = true
}

// tookMemory takes note of how much memory the host's evaluation took. One that
// failed may not have come to its peak, but one that was large was.
func (j *job) tookMemory(ev nixcmd.Evaluation, heap int64, err error) {
	peak := ev.Usage.MaxRSS
	j.mu.Lock()
	defer j.mu.Unlock()
	if !ev.Cached && (err == nil || peak > max(j.past.Memory, unknownMemory)) {
		j.fresh.Memory, j.fresh.Roomy = peak, heap > 0
	}
}

// lookBack looks up what earlier runs have taught of the host.
func (j *job) lookBack() {
	var word string
	if j.past, word = j.fleet.history.of(j.host.Name); word != "" {
		j.warn(StepEvaluate, word)
	}
}

// becomesRoot takes note of how scripts become root there.
func (j *job) becomesRoot(r Root) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if r != j.past.Root {
		j.fresh.Root = r
	}
}

// keep keeps what this run has taught of the host.
func (j *job) keep() {
	j.mu.Lock()
	fresh := j.fresh
	j.mu.Unlock()
	if word := j.fleet.history.add(j.host.Name, fresh); word != "" {
		j.warn(StepEvaluate, word)
	}
}

// announce tells of each host how long its work is going to take, where that is
// known, before its turn has come.
func (f *Fleet) announce(hosts []Host, steps ...Step) {
	for _, h := range hosts {
		past, word := f.history.of(h.Name)
		if word != "" {
			f.emit(Event{Time: time.Now(), Host: h.Name, Step: StepEvaluate, Kind: KindWarning, Text: word})
		}
		if left := past.left(steps); left > 0 {
			f.emit(Event{Time: time.Now(), Host: h.Name, Kind: KindExpected, Left: left})
		}
	}
}
