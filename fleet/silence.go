package fleet

import (
	"fmt"
	"time"
)

// quiet is how long nothing is heard from an activation until that is told. What cannot
// be reached takes ssh some 15 seconds longer than that to be seen to be dead.
const quiet = 5 * time.Second

// silence is what is not heard in one call.
type silence struct {
	guard *guard
	timer *time.Timer
	// told is closed once the timer has run out and that was told.
	told chan struct{}
	// since is the last word, again the first one after a silence.
	since, again time.Time
}

// listen begins to tell, once, if nothing is heard from an activation.
func (u *unit) listen(mode string) *silence {
	if mode != "activate" || u.guard == nil {
		return nil
	}
	text := fmt.Sprintf("nothing was heard from the host for %s: it is still at work, or cannot be reached", quiet)
	if u.guard.restore {
		text += " and will go back by itself"
	}
	told := make(chan struct{})
	return &silence{guard: u.guard, told: told, since: time.Now(), timer: time.AfterFunc(quiet, func() {
		defer close(told)
		u.job.progress(u.step, text, 0, 0)
	})}
}

// over is called for each word.
func (s *silence) over() {
	if s == nil {
		return
	}
	now := time.Now()
	if d := now.Sub(s.since); d >= quiet {
		s.guard.silent, s.again = d, now
	}
	s.since = now
	if s.timer.Stop() {
		s.timer.Reset(quiet)
	}
}

// end waits until what is being told is told, and forgets a silence that was over well
// before the end.
func (s *silence) end() {
	if s == nil {
		return
	}
	if !s.timer.Stop() {
		<-s.told
	}
	if time.Since(s.again) > time.Second {
		s.guard.silent = 0
	}
}
