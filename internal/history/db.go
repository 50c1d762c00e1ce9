package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// DB is an open history. Its methods may be called concurrently, also by several
// processes.
type DB struct {
	path string
	db   *sql.DB
	// aside says where a database went that could not be used.
	aside string
}

// fileName is the database's name in its directory.
const fileName = "history.db"

// patience is how long a process waits for another to have written.
const patience = 5 * time.Second

// Open opens the history in a directory, and makes both if there is none. One that
// is damaged, or of a newer Flotilla, is set aside first; see Aside.
func Open(ctx context.Context, dir string) (*DB, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	d := &DB{path: filepath.Join(dir, fileName)}
	err := d.alone(ctx, func() error {
		err := d.open(ctx)
		if unusable(err) {
			err = d.replace(ctx)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("the history %s cannot be used: %w", d.path, err)
	}
	return d, nil
}

// alone does what no other process may do meanwhile: making the database, changing its
// tables or its journal's mode, and setting it aside. SQLite does not wait for others in
// all of that.
func (d *DB) alone(ctx context.Context, do func() error) error {
	lock, err := os.OpenFile(d.path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	for began := time.Now(); ; {
		err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return do()
		case !errors.Is(err, unix.EWOULDBLOCK) || time.Since(began) > patience:
			return fmt.Errorf("%s.lock: %w", d.path, err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Aside is a sentence on a database that was set aside; "" if none was.
func (d *DB) Aside() string { return d.aside }

// Close closes it.
func (d *DB) Close() error { return d.db.Close() }

func (d *DB) open(ctx context.Context) error {
	// SQLite would make it readable for all. One that is there must not be opened: closing it
	// would let go of all of SQLite's locks on it in this process (fcntl_locking(2)).
	f, err := os.OpenFile(d.path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err == nil {
		err = f.Close()
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	// Written before the log (WAL), so that readers and a writer do not wait for each
	// other; without a sync per transaction, of which a power cut may then take the
	// latest, but never the order.
	query := url.Values{"_txlock": {"immediate"}, "_pragma": {
		fmt.Sprintf("busy_timeout(%d)", patience.Milliseconds()), "journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(1)",
	}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", OmitHost: true, Path: d.path, RawQuery: query.Encode()}).String())
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	if err := migrate(ctx, db); err != nil {
		return errors.Join(err, db.Close())
	}
	d.db = db
	return nil
}

// errDamaged is that it does not hold together.
var errDamaged = errors.New("it is damaged")

// unusable reports whether another database must take the place of this one.
func unusable(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return errors.Is(err, errNewer) || errors.Is(err, errDamaged)
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return true
	}
	return false
}

// replace sets a database aside that cannot be used, and opens another; others may have
// done so by now. It is called alone.
func (d *DB) replace(ctx context.Context) error {
	why := d.open(ctx)
	if why == nil {
		if why = d.check(ctx); why == nil {
			return nil
		}
		d.db.Close()
	}
	if !unusable(why) {
		return why
	}
	if err := d.setAside(why); err != nil {
		return err
	}
	return d.open(ctx)
}

// check reads all of it.
func (d *DB) check(ctx context.Context) error {
	var answer string
	if err := d.db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&answer); err != nil || answer == "ok" {
		return err
	}
	return fmt.Errorf("%w: %s", errDamaged, answer)
}

// setAside renames the database with what belongs to it. A process that still
// has it open goes on with it there.
func (d *DB) setAside(why error) error {
	base := d.path + time.Now().UTC().Format(".20060102-150405")
	to := base
	for n := 2; ; n++ {
		if _, err := os.Lstat(to); errors.Is(err, fs.ErrNotExist) {
			break
		}
		to = fmt.Sprintf("%s-%d", base, n)
	}
	for _, part := range []string{"-shm", "-wal", ""} {
		if err := os.Rename(d.path+part, to+part); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	d.aside = fmt.Sprintf("the history of earlier runs cannot be used (%v); it is set aside as %s", why, to)
	return nil
}

// do works on the database. If it shows itself damaged, it is set aside, and
// the work done on another.
func (d *DB) do(ctx context.Context, work func(*sql.DB) error) error {
	err := work(d.db)
	if !unusable(err) {
		return err
	}
	d.db.Close()
	if err := d.alone(ctx, func() error { return d.replace(ctx) }); err != nil {
		return err
	}
	return work(d.db)
}
