package fleet

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

//go:embed remote/unit.sh
var unitScript string

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

// unit is a command that runs in a detached transient unit of a host. A
// connection that drops does not concern it: its output is in the host's
// journal and its exit status with the host's service manager.
type unit struct {
	job  *job
	step Step
	// run is the run's context; once it is done nothing is started any more.
	run    context.Context
	conn   Remote
	survey Survey
	name   string
	cursor string
	// generation is what a commit switches the profile to; "-" is a new one, and "none"
	// leaves the profile alone.
	generation string
	// live says that a commit is of a system that must be live.
	live bool
	// each receives the lines that the command prints; nil means nobody looks.
	each func(line string)
	// seen says that unit.sh has answered at least once.
	seen bool
	// toplevel is the system that the unit is about, active what of it is to be live.
	toplevel, active nixcmd.StorePath
	// guard is nil for a unit that changes nothing.
	guard *guard
	// fresh has the first call made over a new connection, which is tried for as
	// long as the guard waits.
	fresh bool
	// activated, unless nil, is called once the new system is known to have come up,
	// before the call has come to its end.
	activated func()
	// ahead is a commit whose connection is made before its time; nil if there is none.
	ahead *ahead
}

func (j *job) newUnit(run context.Context, step Step, s surveyed) *unit {
	u := &unit{job: j, step: step, run: run, conn: s.conn, survey: s.survey, toplevel: s.eval.Toplevel, active: s.active(),
		name: "flotilla-" + string(step) + "-" + strings.ToLower(rand.Text())[:12], cursor: "-", generation: "-"}
	switch {
	case j.keepsBoot:
		u.generation = "none"
	case s.generation > 0:
		u.generation = strconv.Itoa(s.generation)
	}
	return u
}

// sibling is another unit of the same deployment.
func (u *unit) sibling(step Step) *unit {
	_, id, _ := cutLast(u.name, "-")
	return &unit{job: u.job, step: step, run: u.run, conn: u.conn, survey: u.survey, toplevel: u.toplevel, active: u.active, guard: u.guard,
		name: "flotilla-" + string(step) + "-" + id, cursor: "-", generation: u.generation}
}

// activate is start under the host's lock, with the guard armed.
func (u *unit) activate(ctx context.Context, action string) (unitEnd, error) {
	return u.follow(ctx, "activate", action, slices.Concat(u.guard.arguments(), []string{u.generation, u.guard.check})...)
}

// start runs switch-to-configuration with an action and waits for its end.
func (u *unit) start(ctx context.Context, action string) (unitEnd, error) {
	return u.follow(ctx, "start", action)
}

// commit makes the system the profile and the boot entry, and waits for its end. If
// all is well it forgets the deployment.
func (u *unit) commit(ctx context.Context, mustBeLive bool) (unitEnd, error) {
	live := "any"
	if mustBeLive {
		live = "live"
	}
	u.fresh, u.live = true, mustBeLive
	end, err := u.follow(ctx, "commit", live)
	if ended := (*endedError)(nil); errors.As(err, &ended) && ended.result == "committed" {
		end.status = 0
		return end, nil
	}
	return end, err
}

// unitEnd is how a unit ended.
type unitEnd struct {
	answer
	// status is the exit status, or -1 if a signal ended the command.
	status int
	// lines are the last of what the command printed, unit is where in the host's
	// journal all of it is.
	lines []string
	unit  string
}

func (e *unitEnd) keep(line string) {
	const most = 40
	if len(e.lines) == most {
		e.lines = append(e.lines[:0], e.lines[1:]...)
	}
	e.lines = append(e.lines, line)
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
		text, err := u.call(ctx, mode, args, &end, &problems, func() { gone = time.Time{} })
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
				u.job.warn(u.step, fmt.Sprintf("the new system lets nobody become root: %v; waiting until it goes back by itself", err))
			case first:
				u.job.warn(u.step, fmt.Sprintf("no new connection to the host can be made: %v; trying again until it goes back by itself", err))
			}
			pause(ctx, u.between(err))
			continue
		case !u.mayRun(err) && (!first || !dropped(err)):
			return end, err
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

// call runs unit.sh once and returns what it said besides the unit's output.
func (u *unit) call(ctx context.Context, mode string, args []string, end *unitEnd, problems *[]string, alive func()) (string, error) {
	var text strings.Builder
	run := u.conn.Run
	if u.fresh && !u.seen {
		run = u.ahead.hold(u.conn.Fresh)
	}
	silence := u.listen(mode)
	defer silence.end()
	each := func(line string) {
		alive()
		silence.over()
		key, value, _ := strings.Cut(line, " ")
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

// quiet is how long nothing is heard from an activation until that is told. What cannot
// be reached takes ssh some 15 seconds longer than that to be seen to be dead.
const quiet = 5 * time.Second

// silence is what is not heard in one call.
type silence struct {
	guard *guard
	timer *time.Timer
	// since is the last word, again the first one after a silence.
	since, again time.Time
}

// listen begins to tell, once, if nothing is heard from an activation.
func (u *unit) listen(mode string) *silence {
	if mode != "activate" || u.guard == nil {
		return nil
	}
	text := fmt.Sprintf("nothing was heard from the host for %s: it is still at work, or cannot be reached", quiet)
	if u.guard.restore {
		text += " and will go back by itself"
	}
	return &silence{guard: u.guard, since: time.Now(), timer: time.AfterFunc(quiet, func() { u.job.progress(u.step, text, 0, 0) })}
}

// over is called for each word.
func (s *silence) over() {
	if s == nil {
		return
	}
	now := time.Now()
	if d := now.Sub(s.since); d >= quiet {
		s.guard.silent, s.again = d, now
	}
	s.since = now
	if s.timer.Stop() {
		s.timer.Reset(quiet)
	}
}

// end forgets a silence that was over well before the end.
func (s *silence) end() {
	if s == nil {
		return
	}
	s.timer.Stop()
	if time.Since(s.again) > time.Second {
		s.guard.silent = 0
	}
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

// rebooted is the error for a host that is no longer in the boot that the unit was in. It
// is looked at once more: what it lost with that boot decides what it is now.
func (u *unit) rebooted(ctx context.Context) error {
	err := errors.New("the host has rebooted in the meantime")
	_, now, failed := u.job.surveyOnce(ctx)
	switch {
	case failed != nil:
		return &hintedError{err, fmt.Sprintf("what it runs and boots now is not known: %v; deploy again", failed)}
	case now.Current == u.active && now.Profile == u.toplevel && !now.Uncommitted:
		return &hintedError{err, "it " + now.state() + ", as it was to; deploy again for it to be checked"}
	}
	return &hintedError{err, "it " + now.state() + "; deploy again"}
}

// check turns what the script said into an error, if the unit did not come to
// an end of its own. An exit status other than 0 is not an error here.
func (u *unit) check(e *unitEnd, problems []string, attempt error) error {
	if by := e.values["stale"]; by != "" {
		u.job.warn(u.step, "took over the lock of "+by+", whose deployment is over")
	}
	switch e.end {
	case "ok", "not-live":
	case "inhibited":
		return nil
	case "ended":
		if ended := e.ended(u.survey); ended != nil {
			ended.attempt = attempt
			if u.step == StepCommit && u.guard.silent >= quiet {
				ended.silent = u.guard.silent
			}
			return ended
		}
		return errors.New("the deployment is over, and the host does not say how")
	case "over":
		runs, boots := e.values["current"] == string(u.active), e.values["profile"] == string(u.toplevel)
		made := (runs || u.step == StepCommit && !u.live) && (boots || u.generation == "none")
		if made && (u.step == StepCommit || u.step == StepRestore) {
			return &endedError{result: "committed", current: e.values["current"], profile: e.values["profile"]}
		}
		return fmt.Errorf("the host knows nothing of this deployment any more; it runs %s", storePathOr(e.values["current"]))
	case "unguarded":
		return fmt.Errorf("the host cannot be guarded, so that nothing was activated: %s", strings.Join(problems, "; "))
	case "gone":
		return &hintedError{errors.New("the system is no longer in the host's store"), "a garbage collection there may have taken it; deploy again"}
	case "not-a-system":
		return errors.New("the path is not a NixOS system: it has no nixos-version or no bin/switch-to-configuration")
	case "no-systemd":
		return errors.New("the host is not run by systemd")
	case "never-started":
		return &hintedError{errNeverStarted, "nothing was changed on the host"}
	default:
		if len(problems) > 0 {
			return fmt.Errorf("the host could not start the unit: %s", strings.Join(problems, "; "))
		}
		return errors.New("the unit vanished from the host")
	}
	e.status = -1
	if e.values["code"] == "1" { // CLD_EXITED of waitid(2)
		if _, err := fmt.Sscanf(e.values["status"], "%d", &e.status); err != nil {
			e.status = -1
		}
	}
	return nil
}

var errNeverStarted = errors.New("cancelled before it began")

// clean forgets the unit. What goes wrong is of no consequence: an ended unit
// does no harm, and is gone with the next boot.
func (u *unit) clean(ctx context.Context) {
	_, _ = u.job.runUnit(ctx, u.conn.Run, u.survey, nil, "clean", u.name)
}

// outOfSightError says that a unit goes on, or ended, without being followed.
type outOfSightError struct {
	text, unit, boots string
	err               error
	// lost says that the host was, perhaps with its power.
	lost bool
}

func (e *outOfSightError) Error() string { return e.text }
func (e *outOfSightError) Unwrap() error { return e.err }
func (e *outOfSightError) Hint() string {
	goesOn := "it goes on there"
	if e.lost {
		goesOn = "unless it lost power, it goes on there"
	}
	return fmt.Sprintf("%s: `journalctl -u %s` on the host tells; %s", goesOn, e.unit, e.boots)
}

// lost is the error for a host that does not come back.
func (u *unit) lost(err error) error {
	return &outOfSightError{text: fmt.Sprintf("the host could not be reached again within %s: %v", u.patience(), err),
		unit: u.name, boots: "what it runs and boots now is not known; " + u.goesBack(), err: err, lost: true}
}

// unconfirmed is the error for a host that no new connection can be made to, or on
// which the password is no longer taken, and
// that should have gone back by now.
func (u *unit) unconfirmed(err error) error {
	what := "no new connection could be made after the activation"
	if errors.Is(err, ErrPasswordRefused) {
		what = "nobody could become root after the activation"
	}
	return &hintedError{fmt.Errorf("%s, so that it was not confirmed: %w", what, err),
		fmt.Sprintf("the host was to go back to %s by itself within %s; if it lost power now, %s", short(u.survey.Current), u.guard.confirm, u.boots())}
}

// abandoned is the error for a unit that is no longer waited for.
func (u *unit) abandoned(err error) error {
	switch {
	case u.mayRun(err):
	case u.step == StepCommit:
		return &hintedError{ErrAbandoned, "the new system is live, but not confirmed; " + u.goesBack()}
	default:
		return err
	}
	return &outOfSightError{text: "no longer waited for", unit: u.name, boots: u.goesBack(), err: ErrAbandoned}
}

// now says what the host is like after an activation that ended so.
func (u *unit) now(end unitEnd) string {
	if end.values["untouched"] == "yes" {
		return "nothing was changed on the host: " + u.survey.nowRuns(u.survey.Current)
	}
	return "if it lost power now, " + u.boots()
}

// boots says what the host would boot if it lost power now.
func (u *unit) boots() string {
	if u.step == StepCommit {
		return fmt.Sprintf("whether it boots the old or the new system is not known: `status -on=%s` tells", u.job.host.Name)
	}
	if u.survey.Uncommitted {
		return "what it would boot is not known: an earlier commit was cut short"
	}
	return "it would boot " + short(u.survey.Profile)
}
