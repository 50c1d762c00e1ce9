package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// collected fetches ten paths from the host b, of which one is here.
func collected(ctx context.Context, w *wire) (events []Event, err error) {
	w.arrived = map[nixcmd.StorePath]bool{}
	for i := range 10 {
		w.paths = append(w.paths, storePathNo(i))
	}
	w.arrived[w.paths[0]] = true
	f := &Fleet{Inventory: &Inventory{}, nix: w, dialer: w, patience: time.Minute, stages: newStages(Limits{}),
		sink: SinkFunc(func(e Event) { events = append(events, e) })}
	j := &job{fleet: f, host: Host{Name: "a", Address: "a"}}
	b := Host{Name: "b", Address: "b"}
	conn, _ := w.Connect(ctx, b)
	err = j.fetch(ctx, route{on: b, conn: conn, detour: "there is no way"}, w.paths[9])
	return events, err
}

// A copy from a build host whose connection drops goes on over another, with what has not
// arrived here, and what it has left over there is ended before.
func TestCollectionResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{gone: 10 * time.Second}
		for range 9 {
			w.copies = append(w.copies, w.sends(1, time.Second))
		}
		events, err := collected(t.Context(), w)
		if err != nil || len(w.begun) != 9 || len(w.arrived) != 10 {
			t.Fatalf("%v after %d attempts; arrived: %v", err, len(w.begun), w.arrived)
		}
		for i, left := range w.begun {
			if len(left) != 9-i {
				t.Errorf("attempt %d has %d paths to bring", i, len(left))
			}
			if w.marks[i] == "" || w.marks[i] != w.marks[0] || i < 8 && w.ended[i] != nixcmd.MarkName+"="+w.marks[i] {
				t.Errorf("attempt %d has the mark %q; ended was %q", i, w.marks[i], w.ended)
			}
		}
		warnings := textsOf(events, KindWarning)
		if len(warnings) != 8 || !strings.Contains(warnings[0], "the connection to b dropped while paths were fetched; connecting again") {
			t.Errorf("warnings %q", warnings)
		}
		last := Event{}
		for _, e := range events {
			if e.Kind == KindProgress {
				if e.Expected != 9 || e.Done < last.Done || !strings.HasPrefix(e.Text, fmt.Sprintf("from b, %d of 9 paths: ", e.Done+1)) {
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

// It is given up where no path arrives between drops, where the build host does not come
// back, and at once where it was not the connection; and it is ended by Ctrl-C.
func TestCollectionGivesUp(t *testing.T) {
	for _, c := range []struct {
		name     string
		gone     time.Duration
		attempt  int // arrives before each drop
		kept     bool
		stop     time.Duration
		attempts int
		outcome  Outcome
		says     []string
	}{
		{"a path that never gets through", 0, 0, false, 0, mostDrops, Failed, []string{"build host b: ", "dropped 5 times without a path having arrived", "whole or not at all"}},
		{"gone for good", time.Hour, 3, false, 0, 1, Unreachable, []string{"build host b: ", "could not be reached again within 1m0s", "no route", "not sent again"}},
		{"not the connection", 0, 3, true, 0, 1, Failed, []string{"build host b: ", "disconnected unexpectedly"}},
		{"Ctrl-C", time.Hour, 3, false, 10 * time.Second, 1, Cancelled, []string{"cancel"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{gone: c.gone}
				for range 20 {
					do := w.sends(c.attempt, time.Second)
					w.copies = append(w.copies, func(ctx context.Context, left []nixcmd.StorePath, opt nixcmd.CopyOptions) error {
						before := w.master
						err := do(ctx, left, opt)
						if c.kept {
							w.master = before
						}
						return err
					})
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if c.stop > 0 {
					time.AfterFunc(c.stop, cancel)
				}
				began := time.Now()
				_, err := collected(ctx, w)
				if err == nil {
					t.Fatal("no error")
				}
				if len(w.begun) != c.attempts {
					t.Errorf("%d attempts, want %d", len(w.begun), c.attempts)
				}
				text := err.Error()
				if h := (interface{ Hint() string })(nil); errors.As(err, &h) {
					text += h.Hint()
				}
				for _, s := range c.says {
					if !strings.Contains(text, s) {
						t.Errorf("%q lacks %q", text, s)
					}
				}
				if got := outcomeOf(ctx, err); got != c.outcome {
					t.Errorf("it is %s, want %s", got, c.outcome)
				}
				if c.stop > 0 && time.Since(began) != c.stop {
					t.Errorf("ended after %s", time.Since(began))
				}
			})
		})
	}
}

// A connection to the build host that has ended by itself, while another build took long,
// is made again before Nix is to use it.
func TestCollectionFindsItsConnectionEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{}
		w.copies = append(w.copies, func(context.Context, []nixcmd.StorePath, nixcmd.CopyOptions) error {
			if w.master == 0 {
				t.Error("no connection")
			}
			return nil
		})
		f := &Fleet{Inventory: &Inventory{}, nix: w, dialer: w, patience: time.Minute, stages: newStages(Limits{})}
		b := Host{Name: "b", Address: "b"}
		conn, _ := w.Connect(t.Context(), b)
		w.master = 0
		j := &job{fleet: f, host: Host{Name: "a", Address: "a"}}
		if err := j.fetch(t.Context(), route{on: b, conn: conn}, storePathNo(1)); err != nil {
			t.Error(err)
		}
	})
}
