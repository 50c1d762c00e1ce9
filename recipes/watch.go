package recipes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/ui"
)

// Watch tests all hosts, and those that a change touches whenever a file of the flake is saved
//
// Options: -on=SELECTOR, -json, -fresh. Tests are those of testAllParallel: nothing is
// deployed. Files that Git does not track do not count; where hosts read they are named
// once. A test that a further change overtakes is given up. Hosts that failed are tested
// again at every change. Ctrl-C ends it, with exit code 130.
func Watch(ctx context.Context, on *string, json, fresh *bool) error {
	asJSON(json)
	anew(fresh)
	unseen := &fleet.Unseen{}
	f, err := open(fleet.Config{Unseen: unseen})
	if err != nil {
		return failure(err)
	}
	defer f.Close(context.WithoutCancel(ctx))
	w := &watching{fleet: f, selector: text(on, everyone), unseen: unseen, last: map[string]fleet.Result{}}
	if err := cmp.Or(strayHost(words(), w.selector, f.Inventory), strayAfterWatch(words(), w.selector)); err != nil {
		return failure(err)
	}
	if err := promptly(ctx, func(ctx context.Context) (err error) {
		if w.files, err = f.Files(ctx); err == nil {
			_, err = f.Select(ctx, w.selector)
		}
		return err
	}); err != nil {
		return err
	}
	note(fmt.Sprintf("watching %d files; Ctrl-C ends it", w.files.Len()))
	return w.run(ctx)
}

// watching is the target at work.
type watching struct {
	fleet    *fleet.Fleet
	selector string
	// files are those that are tested; last has each host's last result.
	files *fleet.Files
	last  map[string]fleet.Result
	// unseen are the files that were warned of.
	unseen *fleet.Unseen
}

var errOvertaken = errors.New("overtaken by a change")

// run tests, and waits for the next change, until it is interrupted.
func (w *watching) run(ctx context.Context) error {
	for {
		next := make(chan *fleet.Files, 1)
		looking, stop := context.WithCancel(ctx)
		overtaken, overtake := context.WithCancelCause(ctx)
		go func() {
			defer close(next)
			if files, err := w.fleet.Next(looking, w.files); err == nil {
				next <- files
				overtake(errOvertaken)
			}
		}()
		err := w.round(ctx, overtaken)
		if err == nil {
			err = promptly(ctx, func(ctx context.Context) error { return w.await(ctx, next) })
		}
		stop()
		for range next {
			// until it has ended
		}
		overtake(nil)
		if err != nil {
			return err
		}
	}
}

// await takes over the next files. The channel is closed without any once ctx is done.
func (w *watching) await(ctx context.Context, next <-chan *fleet.Files) error {
	quiet := w.warn(ctx)
	defer quiet()
	select {
	case files, ok := <-next:
		if !ok {
			<-ctx.Done()
			return ctx.Err()
		}
		quiet()
		w.changed(files)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// warn tells of files that the flake does not see, while nothing is tested, until what it
// returns is called: such a file is no change.
func (w *watching) warn(ctx context.Context) (quiet func()) {
	ctx, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			warning, err := w.fleet.NextUnseen(ctx)
			if err != nil {
				return
			}
			note("warning: " + warning)
		}
	})
	return func() { stop(); wg.Wait() }
}

// changed takes over what is to be tested now, and says so.
func (w *watching) changed(files *fleet.Files) {
	paths := files.Since(w.files)
	w.files = files
	const most = 3
	switch n := len(paths); {
	case n == 0:
		note("the commit changed")
	case n > most:
		note(fmt.Sprintf("%s and %d more files changed", strings.Join(paths[:most-1], ", "), n-most+1))
	default:
		note(strings.Join(paths, ", ") + " changed")
	}
}

// round tests the hosts that may have changed since they were tested, unless
// overtaken is done. What is wrong with them, or with the inventory, ends the round
// only; the error is that all is over.
func (w *watching) round(ctx, overtaken context.Context) error {
	hosts, err := w.touched(ctx)
	interrupted := true // unless it comes to the test
	switch {
	case err == nil && len(hosts) == 0:
		note("no host is touched")
		return nil
	case err == nil:
		err = showing(ctx, strings.Join(hosts, ","), nil, func(ctx context.Context, s session) *fleet.Report {
			test, cancel := context.WithCancelCause(ctx)
			defer cancel(nil)
			defer context.AfterFunc(overtaken, func() { cancel(context.Cause(overtaken)) })()
			r := s.fleet.Test(test, s.hosts, fleet.TestOptions{})
			for _, res := range r.Results {
				w.last[res.Host.Name] = res
			}
			interrupted = ctx.Err() != nil
			if r.Cancelled && !interrupted {
				fmt.Fprintln(s.face, "overtaken by a change, and given up")
			}
			return r
		}, nil, manner{interrupted: "watching no longer", unseen: w.unseen})
	}
	var coded interface{ ExitStatus() int }
	if interrupted && errors.As(err, &coded) && coded.ExitStatus() == fleet.ExitCancelled {
		return err
	}
	if err != nil && overtaken.Err() == nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
	}
	return nil
}

// touched are the hosts to test, by name. Of the others it is known that the flake
// wants what was built.
func (w *watching) touched(ctx context.Context) (names []string, err error) {
	err = promptly(ctx, func(ctx context.Context) error {
		f, err := openAnew(fleet.Config{})
		if err != nil {
			return err
		}
		defer f.Close(context.WithoutCancel(ctx))
		hosts, err := f.Select(ctx, w.selector)
		if err != nil {
			return err
		}
		wanted := f.Foretell(ctx, hosts)
		for _, h := range hosts {
			if last := w.last[h.Name]; last.Outcome != fleet.Built || wanted[h.Name] != last.Wanted {
				names = append(names, h.Name)
			}
		}
		return nil
	})
	return names, err
}

// note says something of the run as a whole.
func note(text string) {
	if forPrograms() {
		fmt.Fprintln(ui.NewJSON(os.Stdout), text)
		return
	}
	fmt.Fprintln(os.Stderr, ui.Harmless(text, onActions()))
}
