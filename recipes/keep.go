package recipes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/history"
	"github.com/nixflotilla/flotilla/internal/metrics"
	"github.com/nixflotilla/flotilla/internal/traces"
	"github.com/nixflotilla/flotilla/internal/ui"
	"github.com/nixflotilla/flotilla/nixcmd"
)

// kept is an action whose runs go into the history, under the target's name, and are
// traced; changes says that it is to change hosts. That they cannot be kept or traced
// is a warning, and no more.
func kept(target string, changes bool, act action) action {
	return func(ctx context.Context, s session) *fleet.Report {
		k := s.begin(context.WithoutCancel(ctx), target, changes)
		r := act(k.trace(ctx), s)
		k.end(context.WithoutCancel(ctx), r)
		return r
	}
}

// keeper is a run on its way into the history; db is nil if it cannot get there.
type keeper struct {
	session session
	db      *history.DB
	run     history.Run
	// traced is nil if nobody wants traces.
	traced *traces.Run
}

func (s session) begin(ctx context.Context, target string, changes bool) *keeper {
	k := &keeper{session: s, run: history.Run{
		Target: target, Changes: changes, Command: command(), Started: time.Now(), User: os.Getenv("USER"), Machine: machineName(),
	}}
	if u, err := user.Current(); err == nil {
		k.run.User = u.Username
	}
	var err error
	if k.db, err = openHistory(ctx, s.fleet); err == nil {
		err = k.db.Begin(ctx, &k.run)
	}
	k.warn(err)
	return k
}

func openHistory(ctx context.Context, f *fleet.Fleet) (*history.DB, error) {
	dir, err := f.StateDir("history")
	if err != nil {
		return nil, err
	}
	return history.Open(ctx, dir)
}

func (k *keeper) end(ctx context.Context, r *fleet.Report) {
	if k.db == nil && k.traced == nil {
		return
	}
	if at := r.Revision; at != nil {
		k.run.Revision, k.run.Dirty = at.Commit, at.Dirty
	} else { // what cannot be read has been warned of already, or is none of the run's business
		k.run.Revision, k.run.Dirty, _ = nixcmd.New(nixcmd.Config{Dir: k.session.fleet.Inventory.Dir}).Head(ctx)
	}
	defer k.export(ctx, r)()
	if k.db == nil {
		return
	}
	err := k.db.End(ctx, &k.run, r)
	k.warn(err)
	if err == nil {
		k.tell(ctx)
	}
	if aside := k.db.Aside(); aside != "" {
		fmt.Fprintln(k.session.face, ui.Harmless(aside, onActions()))
	}
	k.warn(k.db.Close())
}

func (k *keeper) warn(err error) {
	if err == nil {
		return
	}
	text := "this run is not kept in the history: " + err.Error()
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		text += "; " + hinted.Hint()
	}
	fmt.Fprintln(k.session.face, ui.Harmless(text, onActions()))
}

// tell gives what all runs came to whom [metrics] names. That it cannot is a
// warning, and no more.
func (k *keeper) tell(ctx context.Context) {
	m := k.session.fleet.Inventory.Metrics
	if m == (fleet.Metrics{}) {
		return
	}
	totals, err := k.db.Totals(ctx)
	if err != nil {
		k.warn(err)
		return
	}
	s := metrics.Snapshot{Totals: totals, Hosts: hostNames(k.session.fleet)}
	if m.Textfile != "" {
		err = s.WriteFile(m.Textfile)
	}
	if m.Pushgateway != "" {
		err = errors.Join(err, s.Push(ctx, m.Pushgateway, k.run.Machine))
	}
	if err != nil {
		fmt.Fprintln(k.session.face, ui.Harmless("metrics are not told of this run: "+strings.ReplaceAll(err.Error(), "\n", "; "), onActions()))
	}
}

// command is what was typed, as a shell would want it.
func command() string {
	all := make([]string, 0, len(os.Args))
	for _, w := range os.Args[1:] {
		if strings.Trim(w, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=.,/:@+%") != "" || w == "" {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		all = append(all, w)
	}
	return strings.Join(all, " ")
}
