package nixcmd

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// simulation plays a build scheduler: builds start, end well or badly or are
// interrupted, and each end is counted before or after the activity stops.
type simulation struct {
	t       *rapid.T
	log     *buildLog
	next    int
	running []int
	done    int
	failed  int
	bad     []StorePath
}

const buildsID = 1

func (s *simulation) say(format string, args ...any) {
	s.log.line(fmt.Sprintf("@nix "+format, args...))
}

func (s *simulation) count() {
	s.say(`{"action":"result","fields":[%d,%d,%d,%d],"id":%d,"type":105}`, s.done, s.done+len(s.running), len(s.running), s.failed, buildsID)
}

func drvNumber(n int) StorePath {
	const digit = "0123456789abcdfghijklmnpqrsvwxyz"
	hash := []byte(strings.Repeat("0", hashLen))
	for i := range 4 {
		hash[i] = digit[n>>(5*i)&31]
	}
	return StorePath(fmt.Sprintf("/nix/store/%s-build-%d.drv", hash, n))
}

func (s *simulation) start(*rapid.T) {
	if len(s.running) == 8 {
		s.t.Skip("busy")
	}
	s.next++
	s.say(`{"action":"start","fields":["%s","",1,1],"id":%d,"level":3,"parent":0,"text":"","type":105}`, drvNumber(s.next), 100+s.next)
	s.running = append(s.running, s.next)
	s.count()
}

func (s *simulation) end(t *rapid.T) {
	if len(s.running) == 0 {
		t.Skip("idle")
	}
	i := rapid.IntRange(0, len(s.running)-1).Draw(t, "which")
	n := s.running[i]
	s.running = append(s.running[:i:i], s.running[i+1:]...)
	if rapid.Bool().Draw(t, "good") {
		s.done++
	} else {
		s.failed++
		s.bad = append(s.bad, drvNumber(n))
	}
	stop := func() { s.say(`{"action":"stop","id":%d}`, 100+n) }
	if rapid.Bool().Draw(t, "counted first") {
		s.count()
		stop()
	} else {
		stop()
		s.count()
	}
}

// impossible is a failure that never was a build.
func (s *simulation) impossible(*rapid.T) {
	s.failed++
	s.count()
}

func (s *simulation) chatter(t *rapid.T) {
	if len(s.running) == 0 {
		t.Skip("idle")
	}
	s.say(`{"action":"result","fields":["some text"],"id":%d,"type":101}`, 100+s.running[0])
	s.log.line("something else")
}

// Which builds failed is found out in every order of events.
func TestFailuresAreMatched(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var failed, started, stopped int
		s := &simulation{t: t}
		s.log = newBuildLog(func(e BuildEvent) {
			switch e.Kind {
			case BuildStarted:
				started++
			case BuildStopped:
				stopped++
			case BuildFailed:
				failed++
			}
		})
		s.say(`{"action":"start","id":%d,"level":0,"parent":0,"text":"","type":104}`, buildsID)
		t.Repeat(map[string]func(*rapid.T){
			"start": s.start, "end": s.end, "impossible": s.impossible, "chatter": s.chatter,
			"": func(t *rapid.T) {
				if got := s.log.totals; got.BuildsDone != s.done || got.BuildsFailed != s.failed || got.BuildsRunning != len(s.running) {
					t.Fatalf("counted %+v", got)
				}
				if len(s.log.failed) != len(s.bad) || failed != len(s.bad) || started != s.next || stopped != s.next-len(s.running) {
					t.Fatalf("%d failed, told of %d, should be %d", len(s.log.failed), failed, len(s.bad))
				}
				for i, f := range s.log.failed {
					if f.Derivation != s.bad[i] {
						t.Fatalf("%s did not fail", f.Derivation)
					}
				}
			},
		})
		// Interrupted builds stop without being counted: none of them failed.
		for _, n := range s.running {
			s.say(`{"action":"stop","id":%d}`, 100+n)
		}
		if len(s.log.failed) != len(s.bad) {
			t.Fatal("an interrupted build is held to have failed")
		}
		if n := len(s.log.acts); n != 1 {
			t.Fatalf("%d activities are kept", n)
		}
	})
}

// Since 2.35 Nix tells of builds that wait for another to end as if they had begun, and
// again when they do: what failed is what ran, with its log.
func TestBuildsThatWaitForOthers(t *testing.T) {
	r, err := readRecording("testdata/2.35.2-determinate-3.22.2/build-failing-one-job.txtar")
	if err != nil {
		t.Fatal(err)
	}
	g := newBuildLog(nil)
	for line := range strings.Lines(r.stderr) {
		g.line(strings.TrimSuffix(line, "\n"))
	}
	var got []string
	for _, f := range g.failed {
		got = append(got, f.Derivation.Name()+": "+strings.Join(f.LogTail[max(0, len(f.LogTail)-1):], ""))
	}
	if want := []string{"broken-1.0.drv: cannot find -lssl", "broken-2.0.drv: second failure"}; !slices.Equal(got, want) {
		t.Errorf("%q, not %q", got, want)
	}

	// Three that wait, of which the second to begin fails.
	g = newBuildLog(nil)
	say := func(format string, args ...any) { g.line("@nix " + fmt.Sprintf(format, args...)) }
	begin := func(id, n int) {
		say(`{"action":"start","fields":["%s","",1,1],"id":%d,"level":3,"parent":0,"text":"","type":105}`, drvNumber(n), id)
	}
	end := func(id int) { say(`{"action":"stop","id":%d}`, id) }
	counts := func(done, expected, running, failed int) {
		say(`{"action":"result","fields":[%d,%d,%d,%d],"id":1,"type":105}`, done, expected, running, failed)
	}
	say(`{"action":"start","id":1,"level":0,"parent":0,"text":"","type":104}`)
	begin(10, 1)
	counts(0, 3, 1, 0)
	begin(11, 2)
	begin(12, 3)
	counts(1, 3, 0, 0)
	end(10)
	end(11)
	end(12)
	begin(13, 3)
	counts(1, 3, 1, 0)
	begin(14, 2)
	counts(1, 2, 0, 1)
	end(13)
	end(14)
	begin(15, 2)
	counts(1, 2, 1, 1)
	counts(2, 2, 0, 1)
	end(15)
	if len(g.failed) != 1 || g.failed[0].Derivation != drvNumber(3) {
		t.Errorf("failed: %+v", g.failed)
	}
}

// A remote machine reports its own build of the same derivation, below ours.
func TestInnerBuild(t *testing.T) {
	var kinds []BuildEventKind
	g := newBuildLog(func(e BuildEvent) { kinds = append(kinds, e.Kind) })
	for _, line := range []string{
		`{"action":"start","fields":["DRV","ssh-ng://m",1,1],"id":5,"level":3,"parent":0,"text":"","type":105}`,
		`{"action":"start","fields":["DRV","",1,1],"id":6,"level":3,"parent":5,"text":"","type":105}`,
		`{"action":"result","fields":["hello"],"id":6,"type":101}`,
		`{"action":"stop","id":6}`,
		`{"action":"stop","id":5}`,
	} {
		g.line("@nix " + strings.ReplaceAll(line, "DRV", string(drvNumber(1))))
	}
	want := []BuildEventKind{BuildStarted, BuildLog, BuildStopped}
	if fmt.Sprint(kinds) != fmt.Sprint(want) {
		t.Errorf("%v, not %v", kinds, want)
	}
}

// However much a build logs, its last lines are what is kept.
func TestLogTail(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 200).Draw(t, "lines")
		var r lineRing
		for i := range n {
			r.add(fmt.Sprint(i))
		}
		got := r.lines()
		if len(got) != min(n, logTail) {
			t.Fatalf("%d lines", len(got))
		}
		for i, line := range got {
			if line != fmt.Sprint(n-len(got)+i) {
				t.Fatalf("line %d is %s", i, line)
			}
		}
	})
}

// Bytes are told of in steps: not one event for each of Nix's.
func TestProgressIsThrottled(t *testing.T) {
	events := 0
	g := newBuildLog(func(BuildEvent) { events++ })
	g.line(`@nix {"action":"start","fields":["/nix/store/00000000000000000000000000000000-x","a","b"],"id":5,"level":3,"parent":0,"text":"","type":100}`)
	const size = 10 << 20
	for done := 0; done <= size; done += 1 << 10 {
		g.line(fmt.Sprintf(`@nix {"action":"result","fields":[%d,%d,0,0],"id":5,"type":105}`, done, size))
	}
	if events < 9 || events > 12 {
		t.Errorf("%d events for 10 MiB", events)
	}
	if g.totals.BytesDone != size {
		t.Errorf("%d bytes", g.totals.BytesDone)
	}
}

// No log, however odd, breaks the counting.
func FuzzBuildLog(f *testing.F) {
	recorded(f, func(_ string, r recording) { f.Add(r.stderr) })
	f.Add(`@nix {"action":"start","id":1,"type":104}
@nix {"action":"result","fields":[0,0,9000000000000000000,0],"id":1,"type":105}
@nix {"action":"result","fields":[9000000000000000000,0,0,9000000000000000000],"id":1,"type":105}`)
	f.Add("@nix {\"action\":\"start\",\"id\":1,\"parent\":1,\"type\":105}\n@nix {\"action\":\"result\",\"fields\":[\"x\"],\"id\":1,\"type\":101}")
	f.Fuzz(func(t *testing.T, log string) {
		g := newBuildLog(func(BuildEvent) {})
		for line := range strings.Lines(log) {
			g.line(strings.TrimSuffix(line, "\n"))
		}
		e := g.explain(nil, "", &Error{Stderr: g.human.String()})
		if strings.ContainsAny(e.Error(), "\n\x1b") {
			t.Fatalf("%q", e.Error())
		}
		e2 := evalLog{}
		for line := range strings.Lines(log) {
			e2.line(strings.TrimSuffix(line, "\n"))
		}
		if err := e2.explain(Installable{}, &Error{}); strings.ContainsAny(err.Error(), "\n\x1b") {
			t.Fatalf("%q", err.Error())
		}
	})
}
