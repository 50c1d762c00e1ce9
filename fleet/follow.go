package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/sshpool"
)

// reattachFor is how long a host may be gone in the middle of an activation
// before it is given up; a bridge or a firewall that restarts takes seconds.
const reattachFor = 3 * time.Minute

// afterConfirm is how long a host may take to bring the old system back until it is
// given up.
const afterConfirm = time.Minute

func (u *unit) patience() time.Duration {
	if u.guard == nil {
		return reattachFor
	}
	return max(reattachFor, u.guard.confirm+afterConfirm)
}

// follow runs one mode of unit.sh. If the connection drops, or the far end of it
// is in disorder for a while, it makes the same call again, which joins the unit
// that was started before.
func (u *unit) follow(ctx context.Context, mode, argument string, more ...string) (unitEnd, error) {
	args := append([]string{string(u.toplevel), argument, string(u.active)}, more...)
	end := unitEnd{unit: u.name}
	var problems []string
	var gone time.Time
	var attempt error
	began := time.Now()
	for first := true; ; first = false {
		var reached, told bool
		text, err := u.call(ctx, mode, args, &end, &problems, func(key string) {
			reached, told = true, told || key != "flotilla-unit" && key != "problem"
		})
		if first {
			u.ahead.wait(ctx)
		}
		if err == nil {
			if end.answer, err = parseAnswer(text); err == nil {
				switch end.end {
				case "rebooted":
					return end, u.rebooted(ctx)
				case "locked":
					return end, u.job.lockedNow(ctx, u.conn, end.answer)
				}
				return end, u.check(&end, problems, attempt)
			}
		}
		switch {
		case ctx.Err() != nil:
			return end, u.abandoned(err)
		case u.fresh && !u.mayRun(err):
			refused := errors.Is(err, ErrPasswordRefused)
			if attempt = err; refused && !first || time.Since(began) > u.guard.confirm+afterConfirm {
				return end, u.unconfirmed(err)
			}
			switch {
			case first && refused:
				u.job.warn(u.step, fmt.Sprintf("the new system lets nobody become root: %v; waiting%s", err, u.untilBack()))
			case first:
				u.job.warn(u.step, fmt.Sprintf("no new connection to the host can be made: %v; trying again%s", err, u.untilBack()))
			}
			pause(ctx, u.between(err))
			continue
		case !u.mayRun(err) && (!first || !dropped(err)):
			return end, err
		}
		// A host that can be reached but never gets further than that is as good as gone.
		if told || reached && dropped(err) {
			gone = time.Time{}
		}
		if gone.IsZero() {
			gone = time.Now()
			if u.mayRun(err) {
				u.job.warn(u.step, "the connection dropped; what was started goes on there, attaching again")
			}
		}
		if time.Since(gone) > u.patience() {
			return end, u.lost(err)
		}
		if u.run.Err() != nil && !u.seen {
			mode = "join"
		}
		if err := u.reconnect(ctx); err != nil && u.guard != nil {
			if attempt == nil && ctx.Err() == nil {
				u.job.warn(u.step, fmt.Sprintf("no new connection to the host can be made: %v; trying again%s", err, u.untilBack()))
			}
			attempt = err
		}
	}
}

// untilBack says until when a host is waited for.
func (u *unit) untilBack() string {
	if !u.guard.restore || u.step == StepCommit && u.seen {
		return ""
	}
	return " until it goes back by itself"
}

// call runs unit.sh once and returns what it said besides the unit's output. heard is told
// the key of each line.
func (u *unit) call(ctx context.Context, mode string, args []string, end *unitEnd, problems *[]string, heard func(key string)) (string, error) {
	var text strings.Builder
	run := u.conn.Run
	if u.fresh && !u.seen {
		run = u.ahead.hold(u.conn.Fresh)
	}
	silence := u.listen(mode)
	defer silence.end()
	each := func(line string) {
		silence.over()
		key, value, _ := strings.Cut(line, " ")
		heard(key)
		switch key {
		case "flotilla-unit":
			u.seen = true
		case "log":
			end.keep(value)
			u.job.log(u.step, value)
			if u.each != nil {
				u.each(value)
			}
		case "cursor":
			u.cursor = value
		case "problem":
			*problems = append(*problems, value)
		default:
			text.WriteString(line + "\n")
			if line == "activated yes" && u.activated != nil {
				u.activated()
				u.activated = nil
			}
		}
	}
	_, err := u.job.runUnit(ctx, run, u.survey, each, mode, append([]string{u.name, u.cursor, u.survey.BootID}, args...)...)
	return text.String(), err
}

// mayRun reports whether, after an error, the unit may have been started.
func (u *unit) mayRun(err error) bool {
	if u.seen {
		return true
	}
	var se *sshpool.Error
	return errors.As(err, &se) && se.Kind == sshpool.KindLost && !se.NotStarted
}

// dropped reports whether the connection, rather than the command, failed.
func dropped(err error) bool {
	var se *sshpool.Error
	return errors.Is(err, errCutShort) || errors.As(err, &se) &&
		(se.Kind == sshpool.KindLost || se.Kind == sshpool.KindUnreachable)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// between is how long to wait after a new connection that failed. sshd takes no
// connection at all for a while from whom it has refused too often
// (sshd_config(5), PerSourcePenalties: 5 seconds for each time).
//
// A sudo that does not take the password any more, as when the new system has set
// another, is tried again once the host should have gone back: PAM may lock whom it
// has refused three times (pam_faillock(8)).
func (u *unit) between(err error) time.Duration {
	var se *sshpool.Error
	switch {
	case errors.Is(err, ErrPasswordRefused):
		return u.guard.confirm + 5*time.Second
	case errors.As(err, &se) && se.Kind == sshpool.KindAuth:
		return 15 * time.Second
	}
	return time.Second
}

// reconnect makes one attempt at a new connection, after a pause.
func (u *unit) reconnect(ctx context.Context) error {
	pause(ctx, time.Second)
	c, err := u.job.fleet.dialer.Connect(ctx, u.job.host)
	if err == nil {
		u.conn = c
	}
	return err
}
