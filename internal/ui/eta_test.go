package ui

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/nixflotilla/flotilla/fleet"
)

// What is left counts down, stands while a step takes longer than usual, and is
// corrected when it ends.
func TestForecast(t *testing.T) {
	began := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return began.Add(time.Duration(seconds) * time.Second) }
	var f forecast
	f.event(fleet.Event{Kind: fleet.KindStarted, Step: fleet.StepBuild, Time: at(0), Usual: 40 * time.Second, Left: 60 * time.Second})
	for seconds, want := range map[int]int{-5: 60, 0: 60, 15: 45, 40: 20, 90: 20} {
		if got := f.rest(at(seconds)); got != time.Duration(want)*time.Second {
			t.Errorf("after %d s: %v left, want %d s", seconds, got, want)
		}
	}
	f.event(fleet.Event{Kind: fleet.KindProgress, Step: fleet.StepBuild, Time: at(80)})
	f.event(fleet.Event{Kind: fleet.KindDone, Step: fleet.StepBuild, Time: at(90), Left: 20 * time.Second})
	if got := f.rest(at(200)); got != 20*time.Second {
		t.Errorf("while the next step waits: %v left", got)
	}
	f.event(fleet.Event{Kind: fleet.KindDone, Step: fleet.StepCopy, Time: at(201)})
	if f.left != 0 {
		t.Error("something is known though nothing was said")
	}
}

// The run takes as long as the host that takes longest, or as all work at the
// present pace; nothing is said while nothing is known of one.
func TestBoardRest(t *testing.T) {
	began := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	b := newBoard([]fleet.Host{{Name: "a"}, {Name: "b"}, {Name: "c"}}, began)
	say := func(host string, k fleet.Kind, usual, left int) {
		b.event(fleet.Event{Time: began, Host: host, Kind: k, Step: fleet.StepBuild, Usual: time.Duration(usual) * time.Second, Left: time.Duration(left) * time.Second})
	}
	want := func(after, seconds int) {
		t.Helper()
		if got := b.rest(began.Add(time.Duration(after) * time.Second)); got != time.Duration(seconds)*time.Second {
			t.Errorf("after %d s: %v left, want %d s", after, got, seconds)
		}
	}
	say("a", fleet.KindStarted, 30, 30)
	say("b", fleet.KindStarted, 100, 100)
	want(0, 0) // of c nothing is known
	say("c", fleet.KindExpected, 0, 90)
	want(0, 110)  // 220 s of work on two hosts at a time
	want(10, 100) // and it counts down with the clock
	b.event(fleet.Event{Time: began, Host: "a", Kind: fleet.KindResult, Result: &fleet.Result{Outcome: fleet.Built}})
	b.event(fleet.Event{Time: began, Host: "c", Kind: fleet.KindResult, Result: &fleet.Result{Outcome: fleet.Built}})
	want(0, 100)
	want(99, 1)
	b.event(fleet.Event{Time: began, Host: "b", Kind: fleet.KindResult, Result: &fleet.Result{Outcome: fleet.Built}})
	want(0, 0)
}

// Whatever the events are, a host's rest never grows by itself, and never is less
// than what comes after its present step.
func TestForecastNeverGrows(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
		var f forecast
		for range 40 {
			kinds := []fleet.Kind{fleet.KindExpected, fleet.KindStarted, fleet.KindDone, fleet.KindProgress, fleet.KindDecided}
			e := fleet.Event{Time: now, Kind: kinds[rnd.IntN(len(kinds))], Step: fleet.StepBuild}
			if rnd.IntN(4) > 0 && e.Kind != fleet.KindProgress {
				e.Left = time.Duration(rnd.IntN(50)+1) * time.Second
			}
			if e.Kind == fleet.KindStarted {
				e.Usual = min(e.Left, time.Duration(rnd.IntN(20))*time.Second)
			}
			f.event(e)
			last := f.rest(now)
			for range 5 {
				now = now.Add(time.Duration(rnd.IntN(5000)) * time.Millisecond)
				rest := f.rest(now)
				if rest > last || rest < f.left-f.step {
					t.Fatalf("seed %d: from %v to %v: %+v", seed, last, rest, f)
				}
				last = rest
			}
		}
	}
}

// The pace is the present one, whatever it was long ago, and a moment's pause
// changes it little.
func TestPace(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var p pace
	if got := p.at(now); got != 0 {
		t.Errorf("%v before anything began", got)
	}
	for n := range 50 {
		p.change(n+1, now)
	}
	if got := p.at(now); got != 50 {
		t.Errorf("%v of 50 at the beginning", got)
	}
	now = now.Add(10 * time.Second)
	p.change(12, now)
	now = now.Add(30 * time.Second)
	if got := p.at(now); got < 12 || got > 12.2 {
		t.Errorf("%v of 12", got)
	}
	p.change(11, now)
	now = now.Add(100 * time.Millisecond)
	p.change(12, now)
	if got := p.at(now); got < 11.9 || got > 12.2 {
		t.Errorf("%v of 12 after a moment's 11", got)
	}
	p.change(0, now)
	if got := p.at(now.Add(time.Hour)); got < 11.9 {
		t.Errorf("%v after an hour without work", got)
	}
}

func TestAbout(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "", 900 * time.Millisecond: "", 9 * time.Second: "about 9 s left", 61 * time.Second: "about 1:05 left",
		80 * time.Second: "about 1:20 left", time.Hour: "about 1:00:00 left",
	} {
		if got := about(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
