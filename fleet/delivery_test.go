package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

// wire is a host whose store gets paths over a connection that can be cut: Nix and
// ssh as far as a copy needs them. Paths are 1 MiB each.
type wire struct {
	Nix
	mu sync.Mutex // of arrived
	// paths make the system, arrived are those that the host has.
	paths   []nixcmd.StorePath
	arrived map[nixcmd.StorePath]bool
	// copies are the attempts, each of which has what is left to send, and what the
	// connection is by then.
	copies []func(ctx context.Context, left []nixcmd.StorePath, opt nixcmd.CopyOptions) error
	begun  [][]nixcmd.StorePath
	opts   []string
	// marks are those of the attempts to fetch, ended those of what was ended over there.
	marks, ended []string
	// master is the connection; gone is how long no other can be made, and carries
	// how many bytes a second the link does.
	master  int
	gone    time.Duration
	cut     time.Time
	carries int64
	// damaged are paths that are not here as they were.
	damaged []nixcmd.StorePath
}

func (w *wire) Damaged(_ context.Context, paths []nixcmd.StorePath) ([]nixcmd.StorePath, error) {
	return slices.DeleteFunc(slices.Clone(paths), func(p nixcmd.StorePath) bool { return !slices.Contains(w.damaged, p) }), nil
}

func (w *wire) Closure(context.Context, nixcmd.StorePath) ([]nixcmd.PathInfo, error) {
	var infos []nixcmd.PathInfo
	for _, p := range w.paths {
		infos = append(infos, nixcmd.PathInfo{Path: p, NarSize: 1 << 20})
	}
	return infos, nil
}

func (w *wire) Copy(ctx context.Context, _ []nixcmd.StorePath, opt nixcmd.CopyOptions) error {
	left := slices.DeleteFunc(slices.Clone(w.paths), w.has)
	w.begun, w.opts = append(w.begun, left), append(w.opts, opt.SSHOpts)
	if len(w.begun) > len(w.copies) {
		return errors.New("here the test ends")
	}
	return w.copies[len(w.begun)-1](ctx, left, opt)
}

// Fetch is Copy, the other way: what has arrived is here.
func (w *wire) Fetch(ctx context.Context, paths []nixcmd.StorePath, opt nixcmd.FetchOptions) error {
	w.marks = append(w.marks, opt.Mark)
	return w.Copy(ctx, paths, nixcmd.CopyOptions{SSHOpts: opt.SSHOpts, Progress: opt.Progress})
}

func (w *wire) Missing(_ context.Context, paths []nixcmd.StorePath) ([]nixcmd.StorePath, error) {
	return slices.DeleteFunc(slices.Clone(paths), w.has), nil
}

func (w *wire) has(p nixcmd.StorePath) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.arrived[p]
}

func (w *wire) gets(p nixcmd.StorePath) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.arrived[p] = true
}

func (w *wire) Connect(_ context.Context, h Host) (Remote, error) {
	if w.master == 0 {
		w.master = 1
	}
	return wireEnd{w, h}, nil
}

type wireEnd struct {
	*wire
	host Host
}

func (e wireEnd) Master(context.Context) int { return e.master }
func (e wireEnd) NixSSHOpts() string         { return strings.Join(e.host.SSHOptions, " ") }
func (e wireEnd) Fresh(ctx context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
	return e.Run(ctx, cmd)
}

func (e wireEnd) Run(ctx context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
	if e.master == 0 {
		if time.Since(e.cut) < e.gone {
			return sshpool.Result{}, &sshpool.Error{Kind: sshpool.KindUnreachable, Err: errors.New("no route")}
		}
		e.wire.master = 100 + len(e.begun)
	}
	if cmd.Script == endCopyScript {
		e.wire.ended = append(e.ended, cmd.Argv[0])
	}
	if len(cmd.Argv) > 6 && cmd.Argv[2] == whileScript {
		return e.straight(ctx, cmd)
	}
	if len(cmd.Argv) > 0 && cmd.Argv[0] == "nix" { // asks for the closure
		infos := map[nixcmd.StorePath]map[string]any{}
		for _, p := range e.paths {
			infos[p] = map[string]any{"narSize": 1 << 20, "references": []string{}}
		}
		text, err := json.Marshal(infos)
		return sshpool.Result{Stdout: text}, err
	}
	if cmd.Stdin == nil {
		return sshpool.Result{}, nil
	}
	text, _ := io.ReadAll(cmd.Stdin)
	if strings.HasPrefix(cmd.Argv[len(cmd.Argv)-1], "exec cat") {
		pause(ctx, time.Duration(float64(len(text))/float64(e.carries)*float64(time.Second)))
		return sshpool.Result{}, nil
	}
	answer := "flotilla-store 1\n"
	for p := range strings.FieldsSeq(string(text)) {
		if !e.has(nixcmd.StorePath(p)) {
			answer += "missing " + p + "\n"
		}
	}
	return sshpool.Result{Stdout: []byte(answer + "end ok\n")}, nil
}

// straight is a copy that this end makes, to the host.
func (e wireEnd) straight(ctx context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
	e.wire.marks = append(e.marks, cmd.Argv[7])
	err := e.Copy(ctx, nil, nixcmd.CopyOptions{Progress: func(ev nixcmd.CopyEvent) {
		if ev.Path != "" {
			cmd.Stderr(fmt.Sprintf("copying path '%s' to 'ssh-ng://a'...", ev.Path))
		} else if ev.Expected > 0 {
			cmd.Stderr(fmt.Sprintf("copying %d paths...", ev.Expected))
		}
	}})
	switch {
	case err == nil || ctx.Err() != nil:
		return sshpool.Result{}, err
	case e.master == 0:
		return sshpool.Result{}, &sshpool.Error{Kind: sshpool.KindLost, Err: err}
	}
	return sshpool.Result{Stderr: []byte(err.Error() + "\n")}, &sshpool.ExitError{Code: 1}
}

// sends makes so many paths arrive, one every so often, and then drops the connection
// while another is on its way; all of them if there are not more.
func (w *wire) sends(n int, each time.Duration) func(context.Context, []nixcmd.StorePath, nixcmd.CopyOptions) error {
	return func(ctx context.Context, left []nixcmd.StorePath, opt nixcmd.CopyOptions) error {
		opt.Progress(nixcmd.CopyEvent{Text: "copying paths", Expected: len(left)})
		for i, p := range left {
			opt.Progress(nixcmd.CopyEvent{Text: "copying path", Path: p, Done: i, Expected: len(left), Bytes: int64(i) << 20})
			if i == n {
				w.master, w.cut = 0, time.Now()
				return &nixcmd.CopyError{Message: "Nix daemon disconnected unexpectedly"}
			}
			if pause(ctx, each); ctx.Err() != nil {
				return fmt.Errorf("nix: %w", context.Cause(ctx))
			}
			w.gets(p)
		}
		return nil
	}
}

// delivered copies ten paths, of which one is there.
func delivered(t *testing.T, w *wire, options ...string) (events []Event, text string, err error) {
	t.Helper()
	w.arrived = map[nixcmd.StorePath]bool{}
	for i := range 10 {
		w.paths = append(w.paths, storePathNo(i))
	}
	w.arrived[w.paths[0]] = true
	f := &Fleet{Inventory: &Inventory{}, nix: w, dialer: w, patience: time.Minute, stages: newStages(Limits{}),
		sink: SinkFunc(func(e Event) { events = append(events, e) })}
	j := &job{fleet: f, host: Host{Name: "a", Address: "a", SSHOptions: options}}
	conn, _ := w.Connect(t.Context(), j.host)
	var p copyProgress
	_, err = j.deliver(t.Context(), surveyed{conn: conn, eval: nixcmd.Evaluation{Toplevel: w.paths[9]}}, &p)
	return events, p.end(0), err
}

func textsOf(events []Event, k Kind) (texts []string) {
	for _, e := range events {
		if e.Kind == k {
			texts = append(texts, e.Text)
		}
	}
	return texts
}

// A copy whose connection drops goes on over another, with what has not arrived, as
// often as something does arrive in between.
func TestDeliveryResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{gone: 10 * time.Second}
		for range 9 {
			w.copies = append(w.copies, w.sends(1, time.Second))
		}
		events, text, err := delivered(t, w)
		if err != nil || len(w.begun) != 9 || len(w.arrived) != 10 {
			t.Fatalf("%v after %d attempts; arrived: %v", err, len(w.begun), w.arrived)
		}
		for i, left := range w.begun {
			if len(left) != 9-i {
				t.Errorf("attempt %d has %d paths to send", i, len(left))
			}
		}
		if text != "9 paths, 9 MiB" {
			t.Errorf("said %q", text)
		}
		warnings := textsOf(events, KindWarning)
		if len(warnings) != 8 || !strings.Contains(warnings[0], "the connection dropped") {
			t.Errorf("warnings %q", warnings)
		}
		last := Event{}
		for _, e := range events {
			if e.Kind == KindProgress {
				if e.Expected != 9 || e.Done < last.Done || e.Bytes < last.Bytes {
					t.Errorf("progress went back: %+v after %+v", e, last)
				}
				last = e
			}
		}
		if last.Done != 8 || last.BytesExpected != 9<<20 {
			t.Errorf("at the end %+v", last)
		}
	})
}

// It is given up with what to do: where no path arrives between drops, where the host
// does not come back, and at once where it was not the connection.
func TestDeliveryGivesUp(t *testing.T) {
	for _, c := range []struct {
		name     string
		gone     time.Duration
		attempt  int // arrives before each drop
		kept     bool
		attempts int
		outcome  Outcome
		damaged  int
		says     []string
	}{
		{"a path that never gets through", 0, 0, false, mostDrops, Failed, 0, []string{"dropped 5 times without a path having arrived", "whole or not at all"}},
		{"gone for good", time.Hour, 3, false, 1, Unreachable, 0, []string{"could not be reached again within 1m0s", "no route", "not sent again"}},
		{"not the connection", 0, 3, true, 1, Failed, 0, []string{"disconnected unexpectedly"}},
		{"a damaged path", 0, 3, true, 1, Failed, 4, []string{"path-4 is damaged in the store here: ", "disconnected unexpectedly", "nix store repair /nix/store/"}},
		{"another damaged path", 0, 3, true, 1, Failed, 5, []string{"nix: cannot copy", "disconnected unexpectedly"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{gone: c.gone, damaged: []nixcmd.StorePath{storePathNo(c.damaged)}}
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
				_, _, err := delivered(t, w)
				if err == nil {
					t.Fatal("no error")
				}
				if len(w.begun) != c.attempts {
					t.Errorf("%d attempts, want %d", len(w.begun), c.attempts)
				}
				text := err.Error()
				if h, ok := err.(interface{ Hint() string }); ok {
					text += h.Hint()
				}
				for _, s := range c.says {
					if !strings.Contains(text, s) {
						t.Errorf("%q lacks %q", text, s)
					}
				}
				if got := outcomeOf(t.Context(), err); got != c.outcome {
					t.Errorf("it is %s, want %s", got, c.outcome)
				}
			})
		})
	}
}

// A copy of an earlier run, whose connection the host did not know to be gone, held the lock of the path,
// and the next run waited for that without a word.
func TestDeliveryTellsThatNothingIsTaken(t *testing.T) {
	for name, stalls := range map[string]bool{"takes nothing": true, "takes some": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{paths: []nixcmd.StorePath{storePathNo(1)}, arrived: map[nixcmd.StorePath]bool{}}
				w.copies = append(w.copies, func(ctx context.Context, left []nixcmd.StorePath, opt nixcmd.CopyOptions) error {
					opt.Progress(nixcmd.CopyEvent{Text: "copying path", Path: left[0], Expected: 1, Bytes: 1 << 19})
					if pause(ctx, stallFor-2*time.Second); !stalls {
						opt.Progress(nixcmd.CopyEvent{Expected: 1, Bytes: 1<<19 + 1})
					}
					pause(ctx, stallFor-2*time.Second)
					return ctx.Err()
				})
				var warnings []string
				f := &Fleet{Inventory: &Inventory{}, nix: w, dialer: w, patience: time.Minute, stages: newStages(Limits{}),
					sink: SinkFunc(func(e Event) { warnings = append(warnings, textsOf([]Event{e}, KindWarning)...) })}
				j := &job{fleet: f, host: Host{Name: "a", Address: "a"}}
				conn, _ := w.Connect(t.Context(), j.host)
				var p copyProgress
				p.know(map[nixcmd.StorePath]int64{w.paths[0]: 1 << 20}, nil)
				_, err := j.deliver(t.Context(), surveyed{conn: conn, eval: nixcmd.Evaluation{Toplevel: w.paths[0]}}, &p)
				if err != nil || (len(warnings) == 1) != stalls || len(warnings) > 1 || stalls && !strings.Contains(warnings[0], "for 20s the host has taken nothing more") {
					t.Errorf("%v; warned %q", err, warnings)
				}
			})
		})
	}
}

// Ctrl-C ends the wait for a host that is gone.
func TestDeliveryIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{gone: time.Hour, paths: []nixcmd.StorePath{storePathNo(1)}, arrived: map[nixcmd.StorePath]bool{}}
		w.copies = append(w.copies, w.sends(0, time.Second))
		f := &Fleet{Inventory: &Inventory{}, nix: w, dialer: w, patience: time.Minute, stages: newStages(Limits{})}
		j := &job{fleet: f, host: Host{Name: "a", Address: "a"}}
		conn, _ := w.Connect(t.Context(), j.host)
		ctx, cancel := context.WithCancelCause(t.Context())
		stop := errors.New("stop")
		time.AfterFunc(5*time.Second, func() { cancel(stop) })
		began := time.Now()
		_, err := j.deliver(ctx, surveyed{conn: conn, eval: nixcmd.Evaluation{Toplevel: w.paths[0]}}, &copyProgress{})
		if !errors.Is(err, stop) || outcomeOf(ctx, err) != Cancelled || time.Since(began) != 5*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

// What a copy has left on the host that was cut off and not made again, as by Ctrl-C, is
// ended by the next run, and by that alone; a copy that another run makes is let be.
func TestDeliveryEndsWhatWasCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &Fleet{Inventory: &Inventory{}, patience: time.Minute, stages: newStages(Limits{}), stateDir: t.TempDir()}
		deliver := func(ctx context.Context, copies ...func(context.Context, []nixcmd.StorePath, nixcmd.CopyOptions) error) ([]string, error) {
			w := &wire{gone: time.Hour, paths: []nixcmd.StorePath{storePathNo(1)}, arrived: map[nixcmd.StorePath]bool{}}
			w.copies = copies
			f.nix, f.dialer = w, w
			j := &job{fleet: f, host: Host{Name: "a", Address: "a"}}
			conn, _ := w.Connect(ctx, j.host)
			_, err := j.deliver(ctx, surveyed{conn: conn, eval: nixcmd.Evaluation{Toplevel: w.paths[0]}}, &copyProgress{})
			return w.ended, err
		}
		mark := ""
		all := func(context.Context, []nixcmd.StorePath, nixcmd.CopyOptions) error { return nil }
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := deliver(ctx, func(_ context.Context, _ []nixcmd.StorePath, opt nixcmd.CopyOptions) error {
			mark = opt.Mark
			f.nix.(*wire).master, f.nix.(*wire).cut = 0, time.Now()
			return &nixcmd.CopyError{Message: "Nix daemon disconnected unexpectedly"}
		}); err == nil {
			t.Fatal("it was not cut off")
		}
		// Another run is in the middle of a copy.
		other := f.noteCopy("a", "OTHER")
		for _, want := range [][]string{{nixcmd.MarkName + "=" + mark}, nil} {
			if ended, err := deliver(t.Context(), all); err != nil || !slices.Equal(ended, want) {
				t.Errorf("%v, %v; want %v", ended, err, want)
			}
		}
		other.leave()
		if ended, _ := deliver(t.Context(), all); !slices.Equal(ended, []string{nixcmd.MarkName + "=OTHER"}) {
			t.Error(ended)
		}
	})
}

// A connection that has ended by itself, as during a long build, is made again before
// Nix is to use it.
func TestDeliveryFindsItsConnectionEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{}
		w.copies = append(w.copies, func(context.Context, []nixcmd.StorePath, nixcmd.CopyOptions) error {
			if w.master == 0 {
				t.Error("no connection")
			}
			return nil
		})
		conn, _ := w.Connect(t.Context(), Host{})
		w.master = 0
		w.paths = []nixcmd.StorePath{storePathNo(1)}
		f := &Fleet{Inventory: &Inventory{}, nix: w, dialer: w, patience: time.Minute, stages: newStages(Limits{})}
		j := &job{fleet: f, host: Host{Name: "a", Address: "a"}}
		if _, err := j.deliver(t.Context(), surveyed{conn: conn, eval: nixcmd.Evaluation{Toplevel: w.paths[0]}}, &copyProgress{}); err != nil {
			t.Error(err)
		}
	})
}

// What is left goes compressed if there is much of it and the link is slow: not if it
// is one of the ends that is, nor if it is soon over, nor if the inventory says.
func TestDeliveryCompresses(t *testing.T) {
	for _, c := range []struct {
		name       string
		each       time.Duration // for 1 MiB
		carries    int64
		options    []string
		compressed bool
		says       string
	}{
		{"a slow link", 9100 * time.Millisecond, 100 << 10, nil, true, "the link carries about "},
		{"a slow end", 9100 * time.Millisecond, 100 << 20, nil, false, "but the link carries "},
		{"soon over", 510 * time.Millisecond, 1 << 20, nil, false, ""},
		{"a fast link", time.Millisecond, 1 << 30, nil, false, ""},
		{"as the inventory says", 10 * time.Second, 100 << 10, []string{"compression=no"}, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{carries: c.carries}
				trickle := func(ctx context.Context, left []nixcmd.StorePath, opt nixcmd.CopyOptions) error {
					for i, p := range left {
						for part := range 20 {
							opt.Progress(nixcmd.CopyEvent{Path: p, Done: i, Expected: len(left), Bytes: int64(i)<<20 + int64(part)<<20/20 + 1})
							if pause(ctx, c.each/20); ctx.Err() != nil {
								return fmt.Errorf("nix: %w", context.Cause(ctx))
							}
						}
						w.gets(p)
					}
					return nil
				}
				w.copies = append(w.copies, trickle, trickle)
				events, _, err := delivered(t, w, c.options...)
				if err != nil || len(w.arrived) != 10 {
					t.Fatalf("%v; arrived %d", err, len(w.arrived))
				}
				last := w.opts[len(w.opts)-1]
				if got := last == "Compression=yes"; got != c.compressed {
					t.Errorf("sent over %q", w.opts)
				}
				if told := strings.Join(textsOf(events, KindLog), "\n"); !strings.Contains(told, c.says) || c.says == "" && told != "" {
					t.Errorf("told %q", told)
				}
				if len(textsOf(events, KindWarning)) > 0 {
					t.Error("a warning")
				}
			})
		})
	}
}

// A rate is of the last seconds, and nothing is said before some have passed.
func TestCopyRate(t *testing.T) {
	const mib = 1 << 20
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var r rate
	for i := range 100 {
		r.take(began.Add(time.Duration(i)*100*time.Millisecond), int64(i+1)*mib)
		r.take(began.Add(time.Duration(i)*100*time.Millisecond), int64(i+1)*mib)
		if now := r.now(); i < 20 && now != 0 || i >= 20 && now != 10*mib {
			t.Fatalf("after %d: %d", i, now)
		}
	}
	for i := range 200 {
		r.take(began.Add(10*time.Second+time.Duration(i)*100*time.Millisecond), int64(101+i)*mib/1)
	}
	if now := r.now(); now != 10*mib {
		t.Errorf("later %d", now)
	}
	r = rate{}
	r.take(began, 0)
	if len(r.seen) != 0 {
		t.Error("nothing counts")
	}
	for rate, want := range map[copyText]string{
		{}:                                      "",
		{rate: 100}:                             "",
		{rate: 3 * mib, left: 90 * time.Second}: ", 1:30 min to go at 3 MiB/s",
		{rate: 5 << 10, left: time.Millisecond}: " at 5 KiB/s",
	} {
		if got := rate.speed(); got != want {
			t.Errorf("%+v: %q, want %q", rate, got, want)
		}
	}
}
