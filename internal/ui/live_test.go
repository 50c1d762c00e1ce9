package ui

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nixflotilla/flotilla/fleet"
)

var update = flag.Bool("update", false, "write the golden files anew")

// play is a run on a clock of its own, watched on a terminal.
type play struct {
	*Live
	t      *testing.T
	screen *terminal
	now    time.Time
	golden strings.Builder
}

func newPlay(t *testing.T, width, height int, hosts ...string) *play {
	p := &play{t: t, screen: newTerminal(t, width, height), now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	var list []fleet.Host
	for _, h := range hosts {
		list = append(list, fleet.Host{Name: h})
	}
	p.Live = NewLive(p.screen, os.Stderr, list)
	p.size = func() (int, int) { return p.screen.width, p.screen.height }
	p.lines.screen.color = true
	p.painter.w, p.err = p.screen, p.screen
	// No goroutine: the play repaints when it says so.
	p.state, p.board.began = alive, p.now
	return p
}

func (p *play) event(e fleet.Event) {
	e.Time = p.now
	p.Event(e)
}

func (p *play) result(host string, o fleet.Outcome, reason string, err *fleet.StepError) {
	r := &fleet.Result{Host: fleet.Host{Name: host}, Outcome: o, Reason: reason, Duration: p.now.Sub(p.board.began)}
	if err != nil {
		r.Err = err
	}
	p.event(fleet.Event{Host: host, Kind: fleet.KindResult, Result: r})
}

// after lets time go by and repaints.
func (p *play) after(d time.Duration) {
	p.now = p.now.Add(d)
	p.repaint(p.now)
	if p.screen.hidden || p.screen.nowrap {
		p.t.Errorf("after a repaint the cursor is hidden or lines are not wrapped")
	}
}

func (p *play) snapshot(title string) {
	fmt.Fprintf(&p.golden, "%s\n%s\n", title, p.screen)
}

func (p *play) compare(name string) {
	p.t.Helper()
	golden(p.t, name, p.golden.String())
}

// golden compares text with a file of testdata.
func golden(t *testing.T, name, text string) {
	t.Helper()
	file := "testdata/" + name
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s: got\n%swant\n%s", file, text, want)
	}
}

// The story of four hosts: a failure, an unchanged one, a slow activation, and
// a warning that two of them give.
func four(p *play) {
	start := func(host string, s fleet.Step) { p.event(fleet.Event{Host: host, Step: s, Kind: fleet.KindStarted}) }
	end := func(host string, s fleet.Step, text string) {
		p.event(fleet.Event{Host: host, Step: s, Kind: fleet.KindDone, Text: text, Duration: time.Second})
	}
	for _, h := range []string{"p620", "razer", "p510"} {
		start(h, fleet.StepSurvey)
		start(h, fleet.StepEvaluate)
	}
	p.after(time.Second)
	p.snapshot("# the host is asked and the flake evaluated; dex5550 waits for its turn")

	for _, h := range []string{"p620", "razer", "p510"} {
		end(h, fleet.StepSurvey, "runs 0000-nixos-system")
	}
	for _, h := range []string{"razer", "p620"} {
		p.event(fleet.Event{Host: h, Step: fleet.StepEvaluate, Kind: fleet.KindWarning, Text: "option services.xserver.layout is deprecated; use services.xserver.xkb.layout"})
	}
	p.after(3 * time.Second)
	failure := &fleet.StepError{Host: "p510", Step: fleet.StepEvaluate, Brief: "hosts/p510/default.nix:3:12: undefined variable 'nvidai'"}
	p.event(fleet.Event{Host: "p510", Step: fleet.StepEvaluate, Kind: fleet.KindFailed, Err: failure})
	p.result("p510", fleet.Failed, "", failure)
	for _, h := range []string{"p620", "razer"} {
		end(h, fleet.StepEvaluate, "1111-nixos-system")
		p.event(fleet.Event{Host: h, Kind: fleet.KindDecided, Text: "it runs 0000-nixos-system, wanted is 1111-nixos-system"})
	}
	start("dex5550", fleet.StepSurvey)
	usually := func(host string, s fleet.Step, usual, left time.Duration) {
		p.event(fleet.Event{Host: host, Step: s, Kind: fleet.KindStarted, Usual: usual, Left: left})
	}
	usually("razer", fleet.StepBuild, 3*time.Minute, 4*time.Minute)
	p.event(fleet.Event{Host: "razer", Step: fleet.StepBuild, Kind: fleet.KindProgress, Text: "building linux-6.18.2.drv", Done: 7, Expected: 19})
	usually("p620", fleet.StepCopy, 8*time.Second, 80*time.Second)
	p.event(fleet.Event{Host: "p620", Step: fleet.StepCopy, Kind: fleet.KindProgress, Text: "192 of 300 MiB, 9 s to go at 12 MiB/s, 45 of 200 paths: firefox\x1b[2J-145.0",
		Done: 44, Expected: 200, Bytes: 192 << 20, BytesExpected: 300 << 20})
	p.after(3 * time.Second)
	p.snapshot("# p510 has failed; what is built and copied, how far it is, and how long it takes as a rule")

	p.result("dex5550", fleet.Unchanged, "it already runs and boots 1111-nixos-system", nil)
	end("p620", fleet.StepCopy, "200 paths")
	usually("p620", fleet.StepActivate, 30*time.Second, 35*time.Second)
	p.event(fleet.Event{Host: "p620", Step: fleet.StepActivate, Kind: fleet.KindLog, Text: "stopping the following units: nix-serve.service"})
	p.event(fleet.Event{Host: "p620", Step: fleet.StepActivate, Kind: fleet.KindLog, Text: "activating the configuration..."})
	p.after(70 * time.Second)
	p.snapshot("# p620 activates, and what it prints stays; dex5550 is done, and it is known how long the others take")
	end("p620", fleet.StepActivate, "")
	p.result("p620", fleet.SwitchedNeedsReboot, "it ran 0000-nixos-system", nil)
	p.after(time.Second)
	p.snapshot("# p620 is done")
}

func TestLive80x24(t *testing.T) {
	p := newPlay(t, 80, 24, "p620", "razer", "p510", "dex5550")
	four(p)
	p.end()
	p.snapshot("# at the end the view is gone, and what stays is there")
	p.compare("live-80x24.txt")
}

func TestLive200x50(t *testing.T) {
	p := newPlay(t, 200, 50, "p620", "razer", "p510", "dex5550")
	four(p)
	p.compare("live-200x50.txt")
}

func TestLive40Columns(t *testing.T) {
	p := newPlay(t, 40, 24, "p620", "razer", "p510", "dex5550")
	four(p)
	p.compare("live-40x24.txt")
}

// end is Finish without the answer.
func (p *play) end() {
	p.repeated()
	p.last(true)
}

func hundred() []string {
	var hosts []string
	for i := range 100 {
		hosts = append(hosts, fmt.Sprintf("host-%02d", i))
	}
	return hosts
}

// A hundred hosts: of those for which there is no room the number.
func crowd(p *play) {
	for i, h := range hundred() {
		switch {
		case i < 60:
			p.result(h, fleet.Unchanged, "it already runs and boots it", nil)
		case i < 90:
			p.event(fleet.Event{Host: h, Step: fleet.StepBuild, Kind: fleet.KindStarted})
		}
	}
	for _, i := range []int{3, 50, 99} {
		h := fmt.Sprintf("host-%02d", i)
		p.result(h, fleet.Unreachable, "", &fleet.StepError{Host: h, Step: fleet.StepSurvey, Brief: "no answer"})
	}
	p.after(12 * time.Second)
	p.snapshot("# a hundred hosts")
}

func TestLiveHundredHosts(t *testing.T) {
	p := newPlay(t, 80, 24, hundred()...)
	crowd(p)
	p.compare("live-100-80x24.txt")
	p = newPlay(t, 200, 50, hundred()...)
	crowd(p)
	p.compare("live-100-200x50.txt")
}

// What every host's evaluation warns of is read once; activations are not, but
// what a step warns of is.
func TestLiveManyHosts(t *testing.T) {
	p := newPlay(t, 200, 50, hundred()...)
	for _, h := range hundred() {
		p.event(fleet.Event{Host: h, Step: fleet.StepEvaluate, Kind: fleet.KindWarning, Text: "old option"})
		p.event(fleet.Event{Host: h, Step: fleet.StepActivate, Kind: fleet.KindLog, Text: "activating"})
	}
	for range 2 {
		p.event(fleet.Event{Host: "host-07", Step: fleet.StepActivate, Kind: fleet.KindWarning, Text: "the connection dropped"})
	}
	p.end()
	// A hundred hosts push what stays out of sight.
	past := strings.Join(p.screen.past, "\n")
	want := "host-00 │ evaluate warning: old option\n" + strings.Repeat("host-07 │ activate warning: the connection dropped\n", 2) +
		"|99 other hosts gave this warning too: old option\n"
	if got := past + "\n" + p.screen.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// A single host's story is read as it goes by; its line is what it does now.
func TestLiveOneHost(t *testing.T) {
	p := newPlay(t, 80, 24, "p620")
	p.event(fleet.Event{Host: "p620", Step: fleet.StepSurvey, Kind: fleet.KindStarted})
	p.event(fleet.Event{Host: "p620", Step: fleet.StepSurvey, Kind: fleet.KindDone, Text: "runs 0000-nixos-system", Duration: time.Second})
	p.event(fleet.Event{Host: "p620", Kind: fleet.KindDecided, Text: "it runs 0000-nixos-system, wanted is 1111-nixos-system"})
	p.event(fleet.Event{Host: "p620", Step: fleet.StepBuild, Kind: fleet.KindStarted, Usual: 40 * time.Second, Left: 90 * time.Second})
	p.event(fleet.Event{Host: "p620", Step: fleet.StepBuild, Kind: fleet.KindProgress, Text: "fetching 120 of 300 MiB: jq-1.8", Done: 1, Expected: 3, Bytes: 120 << 20, BytesExpected: 300 << 20})
	p.after(time.Second)
	p.snapshot("# one host")
	p.after(7 * time.Second)
	p.snapshot("# and how long it takes as a rule")
	p.end()
	p.snapshot("# its end")
	p.compare("live-one.txt")
}

// Nothing is written while nothing changes, and little while little does.
func TestLiveWritesOnlyChanges(t *testing.T) {
	p := newPlay(t, 80, 24, hundred()...)
	crowd(p)
	writes := p.screen.writes
	p.after(0)
	p.after(time.Millisecond)
	if p.screen.writes != writes {
		t.Errorf("%d writes though nothing changed", p.screen.writes-writes)
	}
	p.screen.size = 0
	p.event(fleet.Event{Host: "host-61", Step: fleet.StepBuild, Kind: fleet.KindProgress, Text: "building a.drv"})
	p.after(time.Millisecond)
	if p.screen.writes != writes+1 || p.screen.size > 500 {
		t.Errorf("one changed line took %d writes with %d bytes", p.screen.writes-writes, p.screen.size)
	}
}

// The terminal is made narrower, wider and lower while the view is up: nothing
// of an older frame remains, and what stays above is not touched.
func TestLiveResize(t *testing.T) {
	p := newPlay(t, 80, 24, "p620", "razer", "p510", "dex5550")
	p.Write([]byte("\nfirst note\n"))
	for _, h := range []string{"p620", "razer", "p510", "dex5550"} {
		p.event(fleet.Event{Host: h, Step: fleet.StepBuild, Kind: fleet.KindStarted})
		p.event(fleet.Event{Host: h, Step: fleet.StepBuild, Kind: fleet.KindProgress, Text: "building something whose name is as long as a line: " + strings.Repeat("x", 60)})
	}
	p.after(time.Second)
	for _, size := range [][2]int{{40, 24}, {120, 30}, {33, 12}, {80, 4}, {80, 24}, {10, 3}, {1, 1}} {
		p.screen.resize(size[0], size[1])
		p.after(100 * time.Millisecond)
	}
	p = newPlay(t, 80, 24, "p620", "razer")
	p.Write([]byte("\nfirst note\n"))
	p.after(time.Second)
	for _, size := range [][2]int{{40, 24}, {120, 30}, {33, 12}, {80, 24}} {
		p.screen.resize(size[0], size[1])
		p.after(100 * time.Millisecond)
		if got := p.screen.String(); strings.Count(got, "razer") != 1 || strings.Count(got, "first note") != 1 {
			t.Errorf("%v:\n%s", size, got)
		}
	}
}

// However small the terminal, a frame fits it.
func TestFrameFits(t *testing.T) {
	for _, hosts := range [][]string{{"a"}, {"p620", "razer", "p510", "dex5550"}, hundred()} {
		p := newPlay(t, 80, 24, hosts...)
		if len(hosts) == 100 {
			crowd(p)
		}
		for width := 1; width < 90; width++ {
			for height := 1; height < 120; height += 3 {
				frame := p.board.frame(screen{width: width}, height, p.now)
				if len(frame) > max(1, height-1) {
					t.Fatalf("%d lines in %d rows", len(frame), height)
				}
				for _, l := range frame {
					if l.columns >= max(1, width) {
						t.Fatalf("%d columns of %d: %q", l.columns, width, l.text)
					}
				}
			}
		}
	}
}

// The real thing, with its goroutine and a file that is no terminal: what stays
// and the answer are written, and the process may end.
func TestLiveFinish(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var answer strings.Builder
	l := NewLive(&answer, out, []fleet.Host{{Name: "p620"}, {Name: "p510"}, {Name: "dex5550"}})
	all := make(chan string)
	go func() { b, _ := io.ReadAll(in); all <- string(b) }()
	r := report()
	for _, res := range r.Results {
		l.Event(fleet.Event{Time: time.Now(), Host: res.Host.Name, Step: fleet.StepEvaluate, Kind: fleet.KindWarning, Text: "old option"})
		l.Event(fleet.Event{Time: time.Now(), Host: res.Host.Name, Kind: fleet.KindResult, Result: &res})
	}
	l.Write([]byte("\na note\n"))
	l.Finish(r, nil)
	out.Close()
	got := <-all
	for _, part := range []string{"p620    │ evaluate warning: old option\r\n", "a note\r\n", "p510, dex5550 gave this warning too: old option\r\n",
		"3 hosts: 1 failed, 2 done", "p510: evaluate failed"} {
		if strings.Count(got, part) != 1 {
			t.Errorf("%q is not there once: %q", part, got)
		}
	}
	if strings.LastIndex(got, "\x1b[?25h") < strings.LastIndex(got, "\x1b[?25l") {
		t.Error("the cursor remains hidden")
	}
	if !strings.Contains(answer.String(), "p510     failed") {
		t.Errorf("no table: %q", answer.String())
	}
	if _, err := l.Write([]byte("late\n")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a late note does not go to the terminal: %v", err)
	}
}

// BenchmarkRepaint is one repaint with a hundred hosts that all have changed;
// there are at most ten a second.
func BenchmarkRepaint(b *testing.B) {
	began := time.Now()
	var hosts []fleet.Host
	for _, h := range hundred() {
		hosts = append(hosts, fleet.Host{Name: h})
	}
	board := newBoard(hosts, began)
	for _, h := range hosts {
		board.event(fleet.Event{Time: began, Host: h.Name, Step: fleet.StepBuild, Kind: fleet.KindStarted})
	}
	p := painter{w: io.Discard}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		for _, h := range hosts {
			board.event(fleet.Event{Host: h.Name, Step: fleet.StepBuild, Kind: fleet.KindProgress, Text: fmt.Sprintf("building package-%d.drv", i), Done: i % 100, Expected: 100})
		}
		p.paint("", board.frame(screen{color: true, width: 200}, 110, began.Add(time.Duration(i)*time.Second)), 200, 110)
	}
}
