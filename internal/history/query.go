package history

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/fleet"
)

// Filter says which runs are meant. The zero value means all.
type Filter struct {
	// Hosts wants runs with at least one of these hosts, and shows no others; nil
	// means all.
	Hosts []string
	// Outcomes wants hosts with one of these outcomes, likewise.
	Outcomes []fleet.Outcome
	// Targets wants runs of these recipes; nil means of all.
	Targets []string
	// Since and Before bound when a run started; the zero time does not.
	Since, Before time.Time
	// Last is how many runs are wanted at most, the latest; 0 means all.
	Last int
}

// ErrNoRun is that there is no run of that number.
var ErrNoRun = errors.New("there is no such run")

// Runs returns the runs that are meant, the latest first, without the steps and
// details of their hosts.
func (d *DB) Runs(ctx context.Context, f Filter) (runs []Run, err error) {
	err = d.do(ctx, func(db *sql.DB) error {
		runs, err = f.runs(ctx, db)
		return err
	})
	return runs, err
}

// Run returns a run with all that is known of it; 0 is the latest
// that is over. An error may be ErrNoRun.
func (d *DB) Run(ctx context.Context, id int64) (r Run, err error) {
	err = d.do(ctx, func(db *sql.DB) error {
		if id == 0 {
			if err := db.QueryRowContext(ctx, "SELECT coalesce(max(id), 0) FROM runs WHERE over").Scan(&id); err != nil {
				return err
			}
		}
		runs, err := readRuns(ctx, db, runsQuery("WHERE id = ?", id))
		if err != nil {
			return err
		}
		if len(runs) == 0 {
			return ErrNoRun
		}
		if err := addHosts(ctx, db, runs, hostsQuery(runs, "", nil)); err != nil {
			return err
		}
		r = runs[0]
		return addSteps(ctx, db, &r)
	})
	return r, err
}

func (f Filter) runs(ctx context.Context, db *sql.DB) ([]Run, error) {
	runs, err := readRuns(ctx, db, f.runsQuery())
	if err != nil || len(runs) == 0 {
		return nil, err
	}
	return runs, addHosts(ctx, db, runs, f.hostsQuery(runs))
}

// query is a question to the database.
type query struct {
	text string
	args []any
}

func (f Filter) runsQuery() query {
	var where []string
	var args []any
	add := func(condition string, values ...any) {
		where, args = append(where, condition), append(args, values...)
	}
	if len(f.Targets) > 0 {
		add("target "+oneOf(f.Targets), anys(f.Targets)...)
	}
	if !f.Since.IsZero() {
		add("started >= ?", f.Since.UnixMilli())
	}
	if !f.Before.IsZero() {
		add("started < ?", f.Before.UnixMilli())
	}
	hosts, hostArgs := f.hosts()
	if hosts != "" {
		add("EXISTS (SELECT 1 FROM hosts WHERE run = id AND "+hosts+")", hostArgs...)
	}
	tail := ""
	if len(where) > 0 {
		tail = "WHERE " + strings.Join(where, " AND ")
	}
	tail += " ORDER BY id DESC"
	if f.Last > 0 {
		tail += fmt.Sprintf(" LIMIT %d", f.Last)
	}
	return runsQuery(tail, args...)
}

// hostsQuery asks for the hosts of runs, of which there is at least one.
func (f Filter) hostsQuery(runs []Run) query {
	hosts, args := f.hosts()
	return hostsQuery(runs, hosts, args)
}

// hosts is the condition for a host's row, "" for none.
func (f Filter) hosts() (string, []any) {
	var where []string
	var args []any
	if len(f.Hosts) > 0 {
		where, args = append(where, "name "+oneOf(f.Hosts)), append(args, anys(f.Hosts)...)
	}
	if len(f.Outcomes) > 0 {
		where, args = append(where, "outcome "+oneOf(f.Outcomes)), append(args, anys(f.Outcomes)...)
	}
	return strings.Join(where, " AND "), args
}

func oneOf[T any](list []T) string {
	return "IN (?" + strings.Repeat(", ?", len(list)-1) + ")"
}

func anys[T any](list []T) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}

func runsQuery(tail string, args ...any) query {
	return query{`SELECT id, target, command, changes, started, user, machine, revision, dirty, over, duration, exit_code, cancelled FROM runs ` + tail, args}
}

func readRuns(ctx context.Context, db *sql.DB, q query) ([]Run, error) {
	rows, err := db.QueryContext(ctx, q.text, q.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var runs []Run
	for rows.Next() {
		var r Run
		var started, took int64
		if err := rows.Scan(&r.ID, &r.Target, &r.Command, &r.Changes, &started, &r.User, &r.Machine, &r.Revision, &r.Dirty,
			&r.Over, &took, &r.ExitCode, &r.Cancelled); err != nil {
			return nil, err
		}
		r.Started, r.Duration = time.UnixMilli(started), micro(took)
		runs = append(runs, r)
	}
	return runs, rows.Err()
}

// hostsQuery asks for those hosts of runs, the latest first, that satisfy a condition.
func hostsQuery(runs []Run, condition string, args []any) query {
	where := "run BETWEEN ? AND ?"
	if condition != "" {
		where += " AND " + condition
	}
	return query{`SELECT run, name, outcome, reason, step, error, live, wanted, built_on, duration,
		derivations, fetched_paths, fetched_bytes, avoided, evaluation, detail FROM hosts WHERE ` + where + " ORDER BY run, position",
		slices.Concat([]any{runs[len(runs)-1].ID, runs[0].ID}, args)}
}

// addHosts gives runs the hosts that a query finds.
func addHosts(ctx context.Context, db *sql.DB, runs []Run, q query) error {
	byID := make(map[int64]*Run, len(runs))
	for i := range runs {
		byID[runs[i].ID] = &runs[i]
	}
	rows, err := db.QueryContext(ctx, q.text, q.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var h Host
		var id, took int64
		var detail sql.RawBytes
		if err := rows.Scan(&id, &h.Name, &h.Outcome, &h.Reason, &h.Step, &h.Error, &h.Live, &h.Wanted, &h.BuiltOn, &took,
			&h.Build.Derivations, &h.Build.Paths, &h.Build.Bytes, &h.Evaluation.Avoided, &h.Evaluation.Reason, &detail); err != nil {
			return err
		}
		r := byID[id]
		if r == nil {
			continue
		}
		h.Duration = micro(took)
		if len(detail) > 0 {
			if err := json.Unmarshal(detail, &h.Detail); err != nil {
				return fmt.Errorf("run %d, %s: %w", id, h.Name, err)
			}
		}
		r.Hosts = append(r.Hosts, h)
	}
	return rows.Err()
}

func addSteps(ctx context.Context, db *sql.DB, r *Run) error {
	rows, err := db.QueryContext(ctx, `SELECT host, step, began, duration, cpu, memory FROM steps WHERE run = ? ORDER BY host, position`, r.ID)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var host int
		var began, took, cpu int64
		var s fleet.StepTime
		if err := rows.Scan(&host, &s.Step, &began, &took, &cpu, &s.Usage.MaxRSS); err != nil {
			return err
		}
		s.Began, s.Duration, s.Usage.UserTime = micro(began), micro(took), micro(cpu)
		if host < len(r.Hosts) {
			r.Hosts[host].Steps = append(r.Hosts[host].Steps, s)
		}
	}
	return rows.Err()
}

func micro(n int64) time.Duration { return time.Duration(n) * time.Microsecond }
