package history

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/nixflotilla/flotilla/fleet"
)

const (
	// Kept is how many runs are kept; the oldest go first.
	Kept = 100_000
	// keptDetails is of how many the details are.
	keptDetails = 1_000
	// mostDetail is how long the JSON of a host's details may get; longer ones lose
	// their lines.
	mostDetail = 64 << 10
)

// Begin notes that a run began, and sets its ID.
func (d *DB) Begin(ctx context.Context, r *Run) error {
	return d.do(ctx, func(db *sql.DB) error {
		res, err := db.ExecContext(ctx, `INSERT INTO runs (target, command, changes, started, user, machine, revision, dirty)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, r.Target, r.Command, r.Changes, r.Started.UnixMilli(), r.User, r.Machine, r.Revision, r.Dirty)
		if err != nil {
			return err
		}
		r.ID, err = res.LastInsertId()
		return err
	})
}

// End keeps what came of a run that Begin was told of, and lets go of the oldest.
// All of r but what Begin took is taken from the report.
func (d *DB) End(ctx context.Context, r *Run, report *fleet.Report) error {
	r.Over, r.Duration, r.ExitCode, r.Cancelled = true, report.Duration, report.ExitCode(), report.Cancelled
	r.Hosts = make([]Host, len(report.Results))
	for i, res := range report.Results {
		r.Hosts[i] = hostOf(res)
	}
	return d.do(ctx, func(db *sql.DB) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if err := write(ctx, tx, r); err != nil {
			return err
		}
		return tx.Commit()
	})
}

func hostOf(res fleet.Result) Host {
	h := Host{
		Name: res.Host.Name, Outcome: res.Outcome, Reason: res.Reason, Live: string(res.Live), Wanted: string(res.Wanted),
		BuiltOn: res.BuiltOn, Duration: res.Duration, Build: res.Build, Evaluation: res.Evaluation, Steps: res.Steps,
		Detail: Detail{RebootFor: res.RebootFor, Cache: res.Cache, Changes: changesOf(res.Difference)},
	}
	for _, c := range res.Health {
		h.Detail.Health = append(h.Detail.Health, Check{c.Check, c.OK, c.FailedBefore, c.Answer, c.Duration})
	}
	var se *fleet.StepError
	switch {
	case errors.As(res.Err, &se):
		h.Step, h.Error = se.Step, se.Brief
		h.Detail.Lines, h.Detail.Hint = se.Details, se.Hint
	case res.Err != nil:
		h.Error = res.Err.Error()
	}
	return h
}

func write(ctx context.Context, tx *sql.Tx, r *Run) error {
	// The run itself again: the database in which it began may have been set aside.
	_, err := tx.ExecContext(ctx, `INSERT INTO runs (id, target, command, changes, started, user, machine, revision, dirty, over, duration, exit_code, cancelled)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET over = 1, duration = excluded.duration, exit_code = excluded.exit_code, cancelled = excluded.cancelled,
		revision = excluded.revision, dirty = excluded.dirty`,
		r.ID, r.Target, r.Command, r.Changes, r.Started.UnixMilli(), r.User, r.Machine, r.Revision, r.Dirty, r.Duration.Microseconds(), r.ExitCode, r.Cancelled)
	if err != nil {
		return err
	}
	for i, h := range r.Hosts {
		detail, err := h.Detail.text()
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO hosts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			r.ID, i, h.Name, h.Outcome, h.Reason, h.Step, h.Error, h.Live, h.Wanted, h.BuiltOn, h.Duration.Microseconds(),
			h.Build.Derivations, h.Build.Paths, h.Build.Bytes, h.Evaluation.Avoided, h.Evaluation.Reason, detail)
		if err != nil {
			return err
		}
		for n, s := range h.Steps {
			_, err := tx.ExecContext(ctx, `INSERT INTO steps VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, r.ID, i, n, s.Step,
				s.Began.Microseconds(), s.Duration.Microseconds(), (s.Usage.UserTime + s.Usage.SystemTime).Microseconds(), s.Usage.MaxRSS)
			if err != nil {
				return err
			}
		}
	}
	if err := addTotals(ctx, tx, r); err != nil {
		return err
	}
	for _, old := range []string{
		"DELETE FROM runs WHERE id <= (SELECT max(id) FROM runs) - ?1",
		"UPDATE hosts SET detail = '' WHERE run <= (SELECT max(id) FROM runs) - ?2 AND run > (SELECT max(id) FROM runs) - 2 * ?2 AND detail <> ''",
	} {
		if _, err := tx.ExecContext(ctx, old, Kept, keptDetails); err != nil {
			return err
		}
	}
	return nil
}

// text is "" for none.
func (d Detail) text() (string, error) {
	text, err := json.Marshal(d)
	if len(text) > mostDetail {
		d.Lines = []string{"(left out: too long)"}
		text, err = json.Marshal(d)
	}
	if len(text) > mostDetail || string(text) == "{}" {
		return "", err
	}
	return string(text), err
}
