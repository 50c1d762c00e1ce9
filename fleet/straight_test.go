package fleet

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// straightened has the host b copy ten paths to a, which has one of them.
func straightened(t *testing.T, w *wire) (events []Event, text string, err error) {
	t.Helper()
	w.arrived = map[nixcmd.StorePath]bool{}
	for i := range 10 {
		w.paths = append(w.paths, storePathNo(i))
	}
	w.arrived[w.paths[0]] = true
	b := Host{Name: "b", Address: "b"}
	f := &Fleet{Inventory: &Inventory{Hosts: []Host{b}}, nix: w, dialer: w, patience: time.Minute, stages: newStages(Limits{}),
		sink: SinkFunc(func(e Event) { events = append(events, e) })}
	conn, _ := w.Connect(t.Context(), b)
	j := &job{fleet: f, host: Host{Name: "a", Address: "a"}, builderConn: conn}
	j.result.BuiltOn = "b"
	var p copyProgress
	err = j.copyStraight(t.Context(), route{on: b, conn: conn}, surveyed{conn: conn, eval: nixcmd.Evaluation{Toplevel: w.paths[9]}}, &p)
	return events, p.end(0), err
}

// A copy that a build host makes goes on where the connection to that has dropped, with what
// the target has not by then, and what was left there is ended before.
func TestStraightCopyResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{gone: 10 * time.Second}
		for range 3 {
			w.copies = append(w.copies, w.sends(3, time.Second))
		}
		events, text, err := straightened(t, w)
		if err != nil || len(w.begun) != 3 || len(w.arrived) != 10 || text != "9 paths, 9 MiB" {
			t.Fatalf("%v after %d attempts; arrived: %v; said %q", err, len(w.begun), w.arrived, text)
		}
		for i, left := range w.begun {
			if len(left) != 9-3*i {
				t.Errorf("attempt %d has %d paths to send", i, len(left))
			}
			if !strings.HasPrefix(w.marks[i], nixcmd.MarkName+"=") || i < 2 && w.ended[i] != w.marks[i] {
				t.Errorf("attempt %d has the mark %q; ended was %q", i, w.marks[i], w.ended)
			}
		}
		warnings := textsOf(events, KindWarning)
		if len(warnings) != 2 || !strings.Contains(warnings[0], "the connection to b dropped while that sent paths; connecting again") {
			t.Errorf("warnings %q", warnings)
		}
		last := Event{}
		for _, e := range events {
			if e.Kind == KindProgress {
				if e.Expected != 9 || e.Done < last.Done {
					t.Errorf("progress went back: %+v after %+v", e, last)
				}
				last = e
			}
		}
		if last.Done != 8 {
			t.Errorf("at the end %+v", last)
		}
	})
}

// What the build host gives as a failure of its own goes through here; a build host that does
// not come back cannot be gone round.
func TestStraightCopyGivesUp(t *testing.T) {
	for name, c := range map[string]struct {
		kept     bool
		passable bool
		outcome  Outcome
		says     string
	}{
		"not the connection": {true, true, Failed, "b could not copy it to the host: "},
		"gone for good":      {false, false, Unreachable, "could not be reached again within 1m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{gone: time.Hour}
				do := w.sends(3, time.Second)
				w.copies = append(w.copies, func(ctx context.Context, left []nixcmd.StorePath, opt nixcmd.CopyOptions) error {
					before := w.master
					err := do(ctx, left, opt)
					if c.kept {
						w.master = before
					}
					return err
				})
				_, _, err := straightened(t, w)
				if err == nil || len(w.begun) != 1 || !strings.Contains(err.Error(), c.says) || outcomeOf(t.Context(), err) != c.outcome ||
					(route{}).passable(err) != c.passable {
					t.Errorf("%v after %d attempts", err, len(w.begun))
				}
			})
		})
	}
}
