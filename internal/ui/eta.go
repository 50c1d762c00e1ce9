package ui

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/nixflotilla/flotilla/fleet"
)

// forecast is what is expected of a host's work, from earlier runs.
type forecast struct {
	// left is how long it takes from the time at on, of which step is what the
	// present step takes as a rule. 0 if it is not known.
	left, step time.Duration
	at         time.Time
}

// event takes in what an event says of the time that is left.
func (f *forecast) event(e fleet.Event) {
	switch {
	case e.Left > 0:
		*f = forecast{left: e.Left, step: e.Usual, at: e.Time}
	case e.Kind == fleet.KindDone && e.Step != fleet.StepSurvey && e.Step != fleet.StepPush:
		*f = forecast{} // the last step, or one after which nothing is known
	}
}

// rest is what is left at a time. A step that takes longer than usual holds the
// clock: what comes after it takes no less for that.
func (f forecast) rest(now time.Time) time.Duration {
	return f.left - min(max(0, now.Sub(f.at)), f.step)
}

// rest is how long the run still takes, 0 if that is not known: as long as the
// host that takes longest, or as all that is to be done at the present pace, if
// that is longer. It is known once it is of every host that is not done.
func (b *board) rest(now time.Time) time.Duration {
	var longest, all time.Duration
	for i := range b.rows {
		r := &b.rows[i]
		if r.result != nil {
			continue
		}
		if r.forecast.left == 0 {
			return 0
		}
		rest := r.forecast.rest(now)
		longest, all = max(longest, rest), all+rest
	}
	if pace := b.pace.at(now); pace > 1 {
		all = time.Duration(float64(all) / pace)
	}
	return max(longest, all)
}

// pace is on how many hosts work goes on at the same time, on average over the
// last paceOver or so: a place that is free for a moment is not to change much.
type pace struct {
	sum, weight float64
	now         int
	since       time.Time
}

const paceOver = 5 * time.Second

// change takes note that from a time on another number of hosts is worked on.
func (p *pace) change(n int, now time.Time) {
	p.sum, p.weight = p.upTo(now)
	p.now, p.since = n, now
}

// upTo is the weighted sum of the numbers up to a time, and of their weights; an
// older number weighs less. A time without work does not count.
func (p *pace) upTo(now time.Time) (sum, weight float64) {
	d := now.Sub(p.since)
	if p.now == 0 || d <= 0 {
		return p.sum, p.weight
	}
	keep := math.Exp(-float64(d) / float64(paceOver))
	return p.sum*keep + float64(p.now)*(1-keep), p.weight*keep + 1 - keep
}

func (p *pace) at(now time.Time) float64 {
	sum, weight := p.upTo(now)
	if weight == 0 {
		return float64(p.now)
	}
	return sum / weight
}

// works reports whether a step is under way that there is a limit on; hosts are
// asked what they run all at once.
func (r *row) works() bool {
	return slices.ContainsFunc(r.active, func(a activeStep) bool { return a.step != fleet.StepSurvey })
}

// about writes how long something still takes, "about 1:20 left": above a minute
// in steps of five seconds. It is "" for less than a second.
func about(d time.Duration) string {
	if d >= time.Minute {
		d = (d + 5*time.Second - 1).Truncate(5 * time.Second)
	}
	if d < time.Second {
		return ""
	}
	return fmt.Sprintf("about %s left", clock(d))
}

// usualAfter is how long a step lasts before it is compared with what it takes
// as a rule: much is over sooner, because there was nothing to do.
const usualAfter = 2 * time.Second

// usual is what the host's present step takes as a rule, "" if there is nothing to
// say.
func (r *row) usual(now time.Time) string {
	if r.result != nil || len(r.active) == 0 {
		return ""
	}
	a := r.active[len(r.active)-1]
	if a.usual < time.Second || now.Sub(a.began) < usualAfter {
		return ""
	}
	return "of ~" + clock(a.usual)
}
