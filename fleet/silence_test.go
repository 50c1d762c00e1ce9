package fleet

import (
	"testing"
	"testing/synctest"
	"time"
)

// What is told of a silence is told before the call ends, and so before the run does.
func TestSilenceIsToldInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := false
		f := &Fleet{sink: SinkFunc(func(Event) {
			time.Sleep(time.Second) // a terminal that is slow
			told = true
		})}
		u := &unit{job: &job{fleet: f}, step: StepActivate, guard: &guard{}}
		s := u.listen("activate")
		time.Sleep(quiet)
		synctest.Wait()
		s.end()
		if !told {
			t.Error("the call ended first")
		}
		// And only if there was one.
		told = false
		s = u.listen("activate")
		for range 3 {
			time.Sleep(quiet - time.Second)
			s.over()
		}
		s.end()
		time.Sleep(2 * quiet)
		if told {
			t.Error("told of no silence")
		}
	})
}
