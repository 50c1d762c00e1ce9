package nixcmd

import (
	"context"
	"errors"
	"regexp"
	"time"
)

// busyMessage is what Nix says when another process holds its database in the
// very moment in which it opens it. Unlike later, it does not try again then
// (Nix, src/libstore/sqlite.cc, openDB and retrySQLite), and there is no code to
// tell this error from others. A store that another process is making for the first
// time has an empty file "schema" for a moment, and is taken for a corrupt one
// (src/libstore/local-store.cc, getSchema).
var busyMessage = regexp.MustCompile(`SQLite database '[^']*' is busy|/db/schema['"] is corrupt`)

// untilFree makes an attempt, and others after growing pauses as long as Nix's
// database is busy; several processes that start at once on the local store get
// in each other's way.
func untilFree(ctx context.Context, attempt func() error) error {
	const pauses = 5
	pause := 100 * time.Millisecond
	for n := 0; ; n++ {
		err := attempt()
		if n == pauses || !isBusy(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
		pause *= 2
	}
}

func isBusy(err error) bool {
	var (
		eval   *EvalError
		build  *BuildError
		copied *CopyError
		check  FlakeProblem
		other  *Error
	)
	switch {
	case errors.As(err, &eval):
		return busyMessage.MatchString(eval.Message)
	case errors.As(err, &build):
		return len(build.Failed) == 0 && len(build.Messages) > 0 && busyMessage.MatchString(build.Messages[len(build.Messages)-1])
	case errors.As(err, &copied):
		return busyMessage.MatchString(copied.Message)
	case errors.As(err, &check):
		return busyMessage.MatchString(check.Message)
	case errors.As(err, &other):
		return busyMessage.MatchString(lastMessage(other.Stderr))
	}
	return false
}
