package history

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nixflotilla/flotilla/fleet"
)

// A clock that goes backwards changes neither which run is the latest, nor makes a
// host known to differ later than it was.
func TestClockGoesBackwards(t *testing.T) {
	d := open(t, t.TempDir())
	at := func(s int64) func(*Run) {
		return func(r *Run) { r.Changes, r.Started = true, time.Unix(s, 0) }
	}
	ended(t, d, begun(t, d, at(2_000_000_000)), report(fleet.Switched))
	ended(t, d, begun(t, d, at(1_000_000_000)), report(fleet.Failed))
	last, err := d.Run(t.Context(), 0)
	if err != nil || last.ID != 2 {
		t.Errorf("%+v, %v", last, err)
	}
	all, err := d.Totals(t.Context())
	if err != nil || all[0].LastOutcome != fleet.Failed || !all[0].Last.Equal(time.Unix(1_000_000_003, 0)) || !all[0].Good.Equal(time.Unix(2_000_000_003, 0)) {
		t.Errorf("%+v, %v", all, err)
	}
	for _, now := range []int64{2000, 1000, 3000} {
		since, err := d.Drift(t.Context(), time.Unix(now, 0), map[string]bool{"h0": true})
		if err != nil || since["h0"].Unix() > now {
			t.Errorf("at %d: %v, %v", now, since, err)
		}
	}
}

// A run that never came to a host leaves it as what came before has left it.
func TestNotCameTo(t *testing.T) {
	d := open(t, t.TempDir())
	for _, o := range []fleet.Outcome{fleet.Failed, fleet.Skipped, fleet.Cancelled} {
		ended(t, d, begun(t, d, func(r *Run) { r.Changes = true }), report(o))
	}
	if all, err := d.Totals(t.Context()); err != nil || all[0].LastOutcome != fleet.Failed {
		t.Errorf("%+v, %v", all, err)
	}
}

// A database of the first schema is brought to the present one, with all that it has.
func TestMigration(t *testing.T) {
	dir := t.TempDir()
	db, err := sql.Open("sqlite", filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		migrations()[0], "PRAGMA user_version = 1",
		"INSERT INTO runs (id, target, command, changes, started, user, machine, revision, dirty, over, duration) VALUES (1, 'x', 'x', 1, 1000, '', '', '', 0, 1, 5000), (2, 'x', 'x', 1, 2000, '', '', '', 0, 1, 5000), (3, 'x', 'x', 0, 3000, '', '', '', 0, 1, 5000), (4, 'x', 'x', 1, 4000, '', '', '', 0, 1, 5000)",
		"INSERT INTO hosts VALUES (1, 0, 'a', 'switched', '', '', '', '', '', '', 0, 0, 0, 0, 0, '', ''), (2, 0, 'a', 'failed', '', '', '', '', '', '', 0, 0, 0, 0, 0, '', ''), (3, 0, 'a', 'built', '', '', '', '', '', '', 0, 0, 0, 0, 0, '', ''), (4, 0, 'a', 'skipped', '', '', '', '', '', '', 0, 0, 0, 0, 0, '', '')",
		"INSERT INTO totals VALUES ('a', 'outcome', 'failed', 0, 1, 0)",
	} {
		if _, err := db.Exec(line); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	d := open(t, dir)
	all, err := d.Totals(t.Context())
	if err != nil || len(all) != 1 || all[0].LastOutcome != fleet.Failed || all[0].Last.UnixMilli() != 2005 || all[0].Good.UnixMilli() != 1005 || d.Aside() != "" {
		t.Errorf("%+v, %v, %q", all, err, d.Aside())
	}
}

// No question that `history` asks reads every host's row: each finds them by an index.
// What that takes with 100,000 runs, BenchmarkRuns tells.
func TestQuestionsUseIndexes(t *testing.T) {
	d := open(t, t.TempDir())
	for name, f := range map[string]Filter{
		"all":      {},
		"latest":   {Last: 20},
		"hosts":    {Hosts: []string{"a", "b"}, Last: 20},
		"outcomes": {Outcomes: []fleet.Outcome{fleet.RolledBack}, Last: 20},
		"both":     {Hosts: []string{"a"}, Outcomes: []fleet.Outcome{fleet.Failed}, Since: time.Unix(1, 0)},
		"target":   {Targets: []string{"x"}},
	} {
		for _, q := range []query{f.runsQuery(), f.hostsQuery([]Run{{ID: 9}, {ID: 1}})} {
			for _, step := range plan(t, d.db, q) {
				if strings.HasPrefix(step, "SCAN hosts") {
					t.Errorf("%s: %s: %s", name, q.text, step)
				}
			}
		}
	}
}

func plan(t *testing.T, db *sql.DB, q query) (steps []string) {
	t.Helper()
	rows, err := db.QueryContext(context.Background(), "EXPLAIN QUERY PLAN "+q.text, q.args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, detail)
	}
	if err := rows.Err(); err != nil || len(steps) == 0 {
		t.Fatal(steps, err)
	}
	return steps
}
