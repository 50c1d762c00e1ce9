package fleet

import (
	"fmt"
	"time"
)

// A rate looks as far back as rateOver, and says nothing before rateFrom; counts that
// come sooner than rateEach after another do not count.
const rateOver, rateFrom, rateEach = 10 * time.Second, 2 * time.Second, 200 * time.Millisecond

// rate is how fast a count grows. The zero rate has seen nothing.
type rate struct{ seen []sample }

type sample struct {
	at    time.Time
	bytes int64
}

// take takes in a count; 0 is none.
func (r *rate) take(at time.Time, bytes int64) {
	if n := len(r.seen); bytes == 0 || n > 0 && at.Sub(r.seen[n-1].at) < rateEach {
		return
	}
	r.seen = append(r.seen, sample{at, bytes})
	for len(r.seen) > 2 && at.Sub(r.seen[1].at) >= rateOver {
		r.seen = r.seen[1:]
	}
}

// now is the rate in bytes per second; 0 if it is not known.
func (r *rate) now() int64 {
	if len(r.seen) < 2 {
		return 0
	}
	first, last := r.seen[0], r.seen[len(r.seen)-1]
	over := last.at.Sub(first.at)
	if over < rateFrom {
		return 0
	}
	return int64(float64(last.bytes-first.bytes) / over.Seconds())
}

// speed says how fast a copy is and how long it still takes; "" if that is not known.
func (t copyText) speed() string {
	if t.rate < 1<<10 {
		return ""
	}
	text := " at " + bytesText(t.rate) + "/s"
	switch s := int(t.left.Seconds() + 0.5); {
	case s >= 60:
		return fmt.Sprintf(", %d:%02d min to go", s/60, s%60) + text
	case s >= 1:
		return fmt.Sprintf(", %d s to go", s) + text
	}
	return text
}
