package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// migrations are what makes of a database of version n (SQLite's user_version) one
// of version n+1. What was released is never changed.
func migrations() []string {
	return []string{
		`CREATE TABLE runs (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		target TEXT NOT NULL, command TEXT NOT NULL, changes INTEGER NOT NULL,
		started INTEGER NOT NULL, -- milliseconds since 1970
		user TEXT NOT NULL, machine TEXT NOT NULL, revision TEXT NOT NULL, dirty INTEGER NOT NULL,
		over INTEGER NOT NULL DEFAULT 0, duration INTEGER NOT NULL DEFAULT 0, -- microseconds, as all durations
		exit_code INTEGER NOT NULL DEFAULT 0, cancelled INTEGER NOT NULL DEFAULT 0
	) STRICT;
	CREATE TABLE hosts (
		run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, position INTEGER NOT NULL,
		name TEXT NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL,
		step TEXT NOT NULL, error TEXT NOT NULL,
		live TEXT NOT NULL, wanted TEXT NOT NULL, built_on TEXT NOT NULL, duration INTEGER NOT NULL,
		derivations INTEGER NOT NULL, fetched_paths INTEGER NOT NULL, fetched_bytes INTEGER NOT NULL,
		avoided INTEGER NOT NULL, evaluation TEXT NOT NULL,
		detail TEXT NOT NULL,
		PRIMARY KEY (run, position)
	) STRICT, WITHOUT ROWID;
	CREATE INDEX hosts_by_name ON hosts (name, run);
	CREATE INDEX hosts_by_outcome ON hosts (outcome, run);
	CREATE TABLE steps (
		run INTEGER NOT NULL, host INTEGER NOT NULL, position INTEGER NOT NULL,
		step TEXT NOT NULL, began INTEGER NOT NULL, duration INTEGER NOT NULL,
		cpu INTEGER NOT NULL, memory INTEGER NOT NULL,
		PRIMARY KEY (run, host, position),
		FOREIGN KEY (run, host) REFERENCES hosts ON DELETE CASCADE
	) STRICT, WITHOUT ROWID;
	-- What is never let go of: sums over all runs there were.
	CREATE TABLE totals (
		host TEXT NOT NULL, name TEXT NOT NULL, label TEXT NOT NULL, bucket INTEGER NOT NULL,
		n INTEGER NOT NULL, sum INTEGER NOT NULL,
		PRIMARY KEY (host, name, label, bucket)
	) STRICT, WITHOUT ROWID;
	-- Hosts that run something else than is wanted, and since when that is known.
	CREATE TABLE drift (host TEXT PRIMARY KEY, since INTEGER NOT NULL) STRICT;`,
		// To look for them among all runs takes as long as there are many that were only
		// tests.
		`CREATE TABLE latest ( -- of the runs that were to change the host, or (good) that left it as is wanted
		host TEXT NOT NULL, good INTEGER NOT NULL, ended INTEGER NOT NULL, outcome TEXT NOT NULL,
		PRIMARY KEY (host, good)
	) STRICT, WITHOUT ROWID;
	INSERT OR REPLACE INTO latest SELECT name, 0, started + runs.duration / 1000, outcome
		FROM hosts JOIN runs ON run = id WHERE changes AND outcome NOT IN ('skipped', 'cancelled') ORDER BY run;
	INSERT OR REPLACE INTO latest SELECT name, 1, started + runs.duration / 1000, outcome
		FROM hosts JOIN runs ON run = id WHERE changes
		AND outcome IN ('unchanged', 'switched', 'staged', 'switched-needs-reboot', 'rebooted') ORDER BY run;`,
	}
}

// errNewer is that the database was made by a newer Flotilla.
var errNewer = errors.New("it is of a newer Flotilla")

// migrate brings a database to the newest version. Another process may be doing
// the same.
func migrate(ctx context.Context, db *sql.DB) error {
	version := func(q interface {
		QueryRowContext(context.Context, string, ...any) *sql.Row
	}) (n int, err error) {
		if err = q.QueryRowContext(ctx, "PRAGMA user_version").Scan(&n); err == nil && n > len(migrations()) {
			err = errNewer
		}
		return n, err
	}
	if n, err := version(db); err != nil || n == len(migrations()) {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	n, err := version(tx)
	if err != nil {
		return err
	}
	for _, m := range migrations()[n:] {
		if _, err := tx.ExecContext(ctx, m); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", len(migrations()))); err != nil {
		return err
	}
	return tx.Commit()
}
