package history

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/fleet"
)

// Totals are sums over all runs of a host, also of those that are kept no longer.
type Totals struct {
	// Host is the host's name.
	Host string
	// Outcomes counts runs that were to change it, Tested others.
	Outcomes, Tested map[fleet.Outcome]int64
	// Evaluated counts evaluations, Avoided those that were not needed.
	Evaluated, Avoided int64
	// Steps are how long steps took.
	Steps map[fleet.Step]Histogram
	// Work is what was built and downloaded.
	Derivations, Paths, Bytes int64
	// CacheHits and CacheMisses are the paths that hosts lacked and that came from the
	// fleet's cache, or did not though it was asked; CacheHitBytes and CacheMissBytes are
	// their contents (NAR size).
	CacheHits, CacheHitBytes, CacheMisses, CacheMissBytes int64
	// Last is when the latest run that was to change it, and came to it, ended, and
	// LastOutcome what came of that; the zero values if there was none. Good is when the latest ended
	// that left it as is wanted.
	Last        time.Time
	LastOutcome fleet.Outcome
	Good        time.Time
}

// Histogram counts durations.
type Histogram struct {
	// Count is how many, Sum how long together.
	Count int64
	Sum   time.Duration
	// Buckets has for each of Bounds how many were not longer.
	Buckets []int64
}

// Bounds are the upper bounds of a Histogram's buckets. Changing them takes a
// migration.
func Bounds() []time.Duration {
	const s = time.Second
	return []time.Duration{s / 10, s / 4, s / 2, s, 5 * s / 2, 5 * s, 10 * s, 30 * s, 60 * s, 120 * s, 300 * s, 900 * s}
}

// The names in the table of totals.
const (
	totalOutcome, totalTested  = "outcome", "tested"
	totalEvaluated, totalSaved = "evaluated", "avoided"
	totalStep                  = "step"
	totalDerivations           = "derivations"
	totalPaths, totalBytes     = "downloaded paths", "downloaded bytes"
	totalHits, totalMisses     = "cache hits", "cache misses"
)

func addTotals(ctx context.Context, tx *sql.Tx, r *Run) error {
	for _, h := range r.Hosts {
		add := func(name, label string, bucket int, n, sum int64) error {
			if n == 0 && sum == 0 {
				return nil
			}
			_, err := tx.ExecContext(ctx, `INSERT INTO totals VALUES (?, ?, ?, ?, ?, ?)
				ON CONFLICT DO UPDATE SET n = n + excluded.n, sum = sum + excluded.sum`, h.Name, name, label, bucket, n, sum)
			return err
		}
		outcome, evaluation := totalTested, totalEvaluated
		if r.Changes {
			outcome = totalOutcome
		}
		evaluated := slices.ContainsFunc(h.Steps, func(s fleet.StepTime) bool { return s.Step == fleet.StepEvaluate })
		if h.Evaluation.Avoided {
			evaluation = totalSaved
		}
		errs := []error{
			add(outcome, string(h.Outcome), 0, 1, 0),
			add(totalDerivations, "", 0, int64(h.Build.Derivations), 0),
			add(totalPaths, "", 0, int64(h.Build.Paths), 0), add(totalBytes, "", 0, h.Build.Bytes, 0),
		}
		if c := h.Detail.Cache; c.LackedPaths > 0 {
			errs = append(errs, add(totalHits, "", 0, int64(c.FetchedPaths), c.FetchedBytes),
				add(totalMisses, "", 0, int64(c.LackedPaths-c.FetchedPaths), c.LackedBytes-c.FetchedBytes))
		}
		if evaluated {
			errs = append(errs, add(evaluation, "", 0, 1, 0))
		}
		for _, s := range h.Steps {
			bucket, _ := slices.BinarySearch(Bounds(), s.Duration)
			errs = append(errs, add(totalStep, string(s.Step), bucket, 1, s.Duration.Microseconds()))
		}
		errs = append(errs, addLatest(ctx, tx, r, h))
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	return nil
}

// Totals returns the totals of every host there ever was, sorted by name.
func (d *DB) Totals(ctx context.Context) (all []Totals, err error) {
	err = d.do(ctx, func(db *sql.DB) error {
		if all, err = readTotals(ctx, db); err != nil {
			return err
		}
		return readLatest(ctx, db, all)
	})
	return all, err
}

func readTotals(ctx context.Context, db *sql.DB) (all []Totals, err error) {
	rows, err := db.QueryContext(ctx, "SELECT host, name, label, bucket, n, sum FROM totals ORDER BY host")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var host, name, label string
		var bucket int
		var n, sum int64
		if err := rows.Scan(&host, &name, &label, &bucket, &n, &sum); err != nil {
			return nil, err
		}
		if len(all) == 0 || all[len(all)-1].Host != host {
			all = append(all, Totals{Host: host, Outcomes: map[fleet.Outcome]int64{}, Tested: map[fleet.Outcome]int64{}, Steps: map[fleet.Step]Histogram{}})
		}
		switch t := &all[len(all)-1]; name {
		case totalOutcome:
			t.Outcomes[fleet.Outcome(label)] += n
		case totalTested:
			t.Tested[fleet.Outcome(label)] += n
		case totalEvaluated:
			t.Evaluated += n
		case totalSaved:
			t.Avoided += n
		case totalDerivations:
			t.Derivations += n
		case totalPaths:
			t.Paths += n
		case totalBytes:
			t.Bytes += n
		case totalHits:
			t.CacheHits, t.CacheHitBytes = t.CacheHits+n, t.CacheHitBytes+sum
		case totalMisses:
			t.CacheMisses, t.CacheMissBytes = t.CacheMisses+n, t.CacheMissBytes+sum
		case totalStep:
			h := t.Steps[fleet.Step(label)]
			h.add(bucket, n, micro(sum))
			t.Steps[fleet.Step(label)] = h
		}
	}
	return all, rows.Err()
}

// add takes in n durations of a bucket.
func (h *Histogram) add(bucket int, n int64, sum time.Duration) {
	if h.Buckets == nil {
		h.Buckets = make([]int64, len(Bounds()))
	}
	h.Count += n
	h.Sum += min(sum, math.MaxInt64-h.Sum)
	for i := bucket; i < len(h.Buckets); i++ {
		h.Buckets[i] += n
	}
}

// isGood reports whether an outcome leaves a host as is wanted.
func isGood(o fleet.Outcome) bool {
	return slices.Contains([]fleet.Outcome{fleet.Unchanged, fleet.Switched, fleet.Staged, fleet.SwitchedNeedsReboot, fleet.Rebooted}, o)
}

// cameTo reports whether a run came to the host at all: else what was before is still so.
func cameTo(o fleet.Outcome) bool { return o != fleet.Skipped && o != fleet.Cancelled }

// addLatest notes a run that was to change a host.
func addLatest(ctx context.Context, tx *sql.Tx, r *Run, h Host) error {
	if r.Changes && isGood(h.Outcome) {
		// What differs from now on has not done so since before.
		if _, err := tx.ExecContext(ctx, "DELETE FROM drift WHERE host = ?", h.Name); err != nil {
			return err
		}
	}
	for good := range 2 {
		if !r.Changes || !cameTo(h.Outcome) || good == 1 && !isGood(h.Outcome) {
			continue
		}
		if _, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO latest VALUES (?, ?, ?, ?)", h.Name, good, r.Started.Add(r.Duration).UnixMilli(), h.Outcome); err != nil {
			return err
		}
	}
	return nil
}

// readLatest finds the latest runs that were to change hosts.
func readLatest(ctx context.Context, db *sql.DB, all []Totals) error {
	rows, err := db.QueryContext(ctx, "SELECT host, good, ended, outcome FROM latest")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var host string
		var good bool
		var ms int64
		var o fleet.Outcome
		if err := rows.Scan(&host, &good, &ms, &o); err != nil {
			return err
		}
		i, found := slices.BinarySearchFunc(all, host, func(t Totals, host string) int { return strings.Compare(t.Host, host) })
		switch {
		case !found:
		case good:
			all[i].Good = time.UnixMilli(ms)
		default:
			all[i].Last, all[i].LastOutcome = time.UnixMilli(ms), o
		}
	}
	return rows.Err()
}

// Drift notes at a time whether hosts run something else than is wanted, and
// returns since when that is known of those that do. Hosts that are not mentioned
// are left as they are, and not returned.
func (d *DB) Drift(ctx context.Context, now time.Time, drifted map[string]bool) (since map[string]time.Time, err error) {
	err = d.do(ctx, func(db *sql.DB) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		since = make(map[string]time.Time)
		for host, is := range drifted {
			if !is {
				if _, err := tx.ExecContext(ctx, "DELETE FROM drift WHERE host = ?", host); err != nil {
					return err
				}
				continue
			}
			var ms int64
			if err := tx.QueryRowContext(ctx, `INSERT INTO drift VALUES (?, ?) ON CONFLICT DO UPDATE SET since = min(since, excluded.since)
				RETURNING since`, host, now.UnixMilli()).Scan(&ms); err != nil {
				return err
			}
			since[host] = time.UnixMilli(ms)
		}
		return tx.Commit()
	})
	return since, err
}
