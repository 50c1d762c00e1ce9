package recipes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/fleet"
	"github.com/nixflotilla/flotilla/internal/history"
	"github.com/nixflotilla/flotilla/internal/ui"
)

// History shows earlier runs, the latest last; with -on what became of those hosts
//
// Options: -on=SELECTOR, -last=N: 20 if not given, 0 for all; -since=7d, 12h or 2026-11-30;
// -outcome=failed,rolled-back; -target=deployAll,quickDeploy; -json, -csv: a line for
// each host of each run. The history has the runs that test, deploy, roll back,
// reboot, confirm and unlock, of this flake's directory on this machine.
func History(ctx context.Context, on *string, last *int, since, outcome, target *string, json, csv *bool) error {
	asJSON(json)
	if is(csv) && forPrograms() {
		return failure(errors.New("-csv and JSON both want standard output; choose one"))
	}
	filter, err := historyFilter(last, since, outcome, target)
	if err != nil {
		return failure(err)
	}
	f, err := open(fleet.Config{})
	if err != nil {
		return failure(err)
	}
	defer f.Close(context.WithoutCancel(ctx))
	return promptly(ctx, func(ctx context.Context) error {
		if filter.Hosts, err = formerHosts(ctx, f, on); err != nil {
			return err
		}
		db, err := openHistory(ctx, f)
		if err != nil {
			return err
		}
		defer db.Close()
		runs, err := db.Runs(ctx, filter)
		if err != nil {
			return err
		}
		if aside := db.Aside(); aside != "" {
			fmt.Fprintln(guarded(os.Stderr), ui.Harmless(aside, onActions()))
		}
		slices.Reverse(runs)
		switch {
		case forPrograms():
			return writeJSON(os.Stdout, ui.JSONRuns(runs))
		case is(csv):
			return ui.RunsCSV(os.Stdout, runs)
		case len(runs) == 0:
			fmt.Fprintln(os.Stderr, "no such run is known")
		case filter.Hosts != nil || filter.Outcomes != nil:
			return ui.RunHosts(guarded(os.Stdout), runs)
		default:
			return ui.Runs(guarded(os.Stdout), runs)
		}
		return nil
	})
}

func historyFilter(last *int, since, outcome, target *string) (f history.Filter, err error) {
	f.Last = 20
	if last != nil {
		f.Last = *last
	}
	if f.Last < 0 {
		return f, fmt.Errorf("-last=%d: give how many runs to show, or 0 for all", f.Last)
	}
	if since != nil {
		if f.Since, err = ago(*since, time.Now()); err != nil {
			return f, err
		}
	}
	for _, o := range list(outcome) {
		if !slices.Contains(fleet.Outcomes(), fleet.Outcome(o)) {
			return f, fmt.Errorf("-outcome=%s: there is no such outcome; there are %s", o, strings.Join(texts(fleet.Outcomes()), ", "))
		}
		f.Outcomes = append(f.Outcomes, fleet.Outcome(o))
	}
	f.Targets = list(target)
	return f, nil
}

func texts[T ~string](all []T) []string {
	out := make([]string, len(all))
	for i, v := range all {
		out[i] = string(v)
	}
	return out
}

// list splits at commas; nil for none.
func list(flag *string) (all []string) {
	for _, word := range strings.Split(text(flag, ""), ",") {
		if word = strings.TrimSpace(word); word != "" {
			all = append(all, word)
		}
	}
	return all
}

// days are what time.ParseDuration does not know.
var days = regexp.MustCompile(`^([0-9]{1,6})d$`)

// ago reads a span before now, or a date of this machine's zone.
func ago(text string, now time.Time) (time.Time, error) {
	if m := days.FindStringSubmatch(text); m != nil {
		n, err := strconv.Atoi(m[1])
		return now.AddDate(0, 0, -n), err
	}
	if span, err := time.ParseDuration(text); err == nil && span >= 0 {
		return now.Add(-span), nil
	}
	for _, layout := range []string{"2006-01-02", "2006-01-02 15:04", time.RFC3339} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("-since=%s: give a span such as 7d, 12h or 30m, or a date such as %s", text, now.Format("2006-01-02"))
}

// formerHosts are the names that a selector means, also those of hosts that have
// left the fleet; nil for all.
func formerHosts(ctx context.Context, f *fleet.Fleet, selector *string) ([]string, error) {
	if selector == nil {
		return nil, nil
	}
	all := list(selector)
	if len(all) == 0 {
		return nil, errors.New("-on= names no host; leave it out for all")
	}
	if !slices.ContainsFunc(all, func(w string) bool { return strings.ContainsAny(w, "@!*?[") }) {
		return all, nil
	}
	hosts, err := f.Select(ctx, *selector)
	all = nil
	for _, h := range hosts {
		all = append(all, h.Name)
	}
	return all, err
}
