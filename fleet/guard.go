package fleet

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
)

//go:embed remote/guard.sh
var guardScript string

// terse is a script without indentation and lines of comment: a slow link carries some
// 14 KB (RFC 6928) in its first round trip.
func terse(script string) string {
	var b strings.Builder
	for line := range strings.Lines(script) {
		if line = strings.TrimLeft(line, " "); !strings.HasPrefix(line, "#") && line != "\n" {
			b.WriteString(line)
		}
	}
	return b.String()
}

// Activation says how hosts are kept from being stranded by a system that does not
// work. The zero value is useful.
//
// Before a system is activated the host itself arms a timer that brings back the
// one that was live before, unless the new one is confirmed in time: over a new
// connection, after its health checks.
type Activation struct {
	// Timeout is how long an activation may take until it is ended and the old
	// system brought back, to the millisecond; 0 means 15 minutes.
	Timeout time.Duration
	// Confirm is how long after the activation's end the new system must be
	// confirmed, to the millisecond; 0 means 90 seconds. If health checks are to be
	// made, Health.Deadline is added.
	Confirm time.Duration
	// KeepDegraded leaves a system live of which units failed, instead of bringing
	// the old one back. It is not made the one that boots.
	KeepDegraded bool
}

func (a Activation) timeout() time.Duration { return or(a.Timeout, 15*time.Minute) }
func (a Activation) confirm() time.Duration { return or(a.Confirm, 90*time.Second) }

// guard is what a host is told of the deployment that it guards; see
// remote/guard.sh.
type guard struct {
	by               string
	timeout, confirm time.Duration
	// restore says whether the old system is brought back.
	restore bool
	// check is unit.sh's CHECK.
	check string
	// silent is how long nothing was heard from the host before the last word of its
	// activation.
	silent time.Duration
}

func (j *job) newGuard(s surveyed) *guard {
	a := j.fleet.Inventory.Activation
	g := &guard{by: whoami(), timeout: a.timeout(), confirm: a.confirm(), restore: !j.noRollback && s.survey.Current != "", check: "ask"}
	if j.noCheck {
		g.check = "no"
	}
	if j.checkup != nil {
		g.confirm += j.fleet.Inventory.Health.deadline()
	}
	return g
}

// whoami names this process to whoever finds a host locked by it.
func whoami() string {
	name := os.Getenv("USER")
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		host = "somewhere"
	}
	word := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r <= ' ' || r == 0x7f || r > 0xff {
				return '_'
			}
			return r
		}, or(s, "somebody"))
	}
	return fmt.Sprintf("%s@%s (pid %d)", word(name), word(host), os.Getpid())
}

// arguments are those of unit.sh's mode activate after the action. Both systemd and
// people read the durations.
func (g *guard) arguments() []string {
	restore := "no"
	if g.restore {
		restore = "yes"
	}
	return []string{g.by, exact(g.timeout), exact(g.confirm), restore}
}

// exact is a duration as systemd.time(7) reads it, never 0.
func exact(d time.Duration) string { return max(d.Round(time.Millisecond), time.Millisecond).String() }

// goesBack says what becomes of a host that nobody looks after any more.
func (u *unit) goesBack() string {
	if u.guard == nil || !u.guard.restore || u.step == StepCommit && u.seen {
		return u.boots()
	}
	return fmt.Sprintf("unless `confirm %s` is run within %s of its activation, the host goes back to %s by itself",
		u.job.host.Name, exact(u.guard.confirm), short(u.survey.Current))
}

// lockedError is a host that another deployment has.
type lockedError struct {
	host, by string
	since    time.Time
	waits    bool
	// back says that it is taken back, "" if it is not; then it can no longer be confirmed.
	back string
}

func (e *lockedError) Error() string {
	if e.by == "" {
		return "the host is locked by a deployment"
	}
	return fmt.Sprintf("the host is locked by %s, whose deployment began at %s", e.by, moment(e.since))
}

func (e *lockedError) Hint() string {
	if e.back != "" {
		return e.back + ": wait for that to end, then try again"
	}
	if e.waits {
		return fmt.Sprintf("it waits to be confirmed: if whoever began it is gone, `confirm %s` does that, or the host goes back by itself", e.host)
	}
	return fmt.Sprintf("wait for it to end, then try again; `status -on=%s` says how far it is", e.host)
}

func (j *job) locked(a answer) *lockedError {
	e := &lockedError{host: j.host.Name, by: a.values["lock/by"], waits: a.values["lock/waits"] == "yes"}
	if n, err := strconv.ParseInt(a.values["lock/since"], 10, 64); err == nil {
		e.since = time.Unix(n, 0)
	}
	return e
}

// lockedNow is locked, which says that it waits to be confirmed also while it is taken back.
func (j *job) lockedNow(ctx context.Context, conn Remote, a answer) *lockedError {
	e := j.locked(a)
	if !e.waits {
		return e
	}
	ctx, cancel := context.WithTimeout(ctx, cleaning)
	defer cancel()
	if now, err := survey(ctx, conn, BecomeNone); err == nil {
		e.heed(now.Deployment)
	}
	return e
}

// heed has what a later look at the deployment told.
func (e *lockedError) heed(d *HostDeployment) {
	e.waits = d != nil && d.State == DeploymentWaits
	if d != nil && d.State == DeploymentGoesBack {
		e.back = d.goesBack()
	}
}

// endedError is a deployment that the host, or someone else, has brought to its end.
type endedError struct {
	result, why string
	code        int
	// current and profile are what the host runs and boots by now.
	current, profile string
	survey           Survey
	lines            []string
	unit             string
	// attempt is the last failure to reach the host meanwhile, nil if there was none, and
	// silent how long nothing was heard from it over a connection that did not fail.
	attempt error
	silent  time.Duration
}

// ended reads what the file "ended" of guard.sh says; nil if that is nothing.
func (e *unitEnd) ended(s Survey) *endedError {
	f := strings.SplitN(e.values["ended"], " ", 3)
	if len(f) < 2 {
		return nil
	}
	end := &endedError{result: f[0], current: e.values["current"], profile: e.values["profile"], survey: s, lines: e.lines, unit: e.unit}
	end.code, _ = strconv.Atoi(f[1])
	if len(f) == 3 {
		end.why = f[2]
	}
	return end
}

func (e *endedError) Error() string {
	why := e.why
	switch {
	case e.attempt != nil:
		why += fmt.Sprintf(" (%v)", e.attempt)
	case e.silent > 0:
		why += fmt.Sprintf(" (nothing was heard from it for %s before)", e.silent.Round(time.Second))
	}
	switch e.result {
	case "restored":
		return "the host went back to the old system by itself: " + why
	case "kept":
		return "the new system is live, but was given up: " + why
	case "committed":
		text := "someone else has confirmed the new system"
		if e.why != "" {
			text += ", which was to be taken back: " + e.why
		}
		return text
	case "foreign":
		return "the new system was given up, but someone else has switched the host since, which was left alone: " + why
	}
	return fmt.Sprintf("%s, and the old system could not be brought back: its switch-to-configuration ended with %d", why, e.code)
}

func (e *endedError) Hint() string {
	s := e.survey
	if e.result == "committed" {
		if e.current == e.profile {
			return "it runs and boots " + short(storePath(e.current))
		}
		s = Survey{Profile: storePath(e.profile)}
	}
	return s.nowRuns(storePath(e.current))
}

// nowRuns says what a host that was surveyed before runs and boots by now.
func (s Survey) nowRuns(current nixcmd.StorePath) string {
	s.Deployment = nil // of then
	switch {
	case s.Uncommitted:
		return fmt.Sprintf("it runs %s; %s", short(current), s.bootsUnknown())
	case current == s.Profile:
		return fmt.Sprintf("it runs and boots %s, as before", short(current))
	case current == s.Current && len(s.Specialisations) > 0:
		return fmt.Sprintf("it runs %s, as before", s.live())
	}
	return fmt.Sprintf("it runs %s and boots %s", short(current), short(s.Profile))
}

func (e *endedError) outcome() Outcome {
	switch e.result {
	case "restored":
		return RolledBack
	case "kept":
		return Degraded
	}
	return Failed
}

// cleaning is how long a run waits for a host to clear what is over.
const cleaning = 5 * time.Second

// giveUp decides what becomes of a host whose activation, checks or commit went
// wrong, and does it. The outcome is the one that stands if nothing is done.
func (j *job) giveUp(ctx context.Context, u *unit, outcome Outcome, untouched bool, cause error) (Outcome, error) {
	var (
		ended      *endedError
		locked     *lockedError
		activation *activationError
		checks     *failedChecks
	)
	switch {
	case errors.As(cause, &ended):
		// It has been heard, though perhaps over another connection than this one, which
		// may be dead.
		soon, cancel := context.WithTimeout(ctx, cleaning)
		u.clean(soon)
		cancel()
		return ended.outcome(), cause
	case errors.As(cause, &locked):
		return Locked, cause
	case !errors.As(cause, &activation) && !errors.As(cause, &checks):
		return "", cause
	case untouched, !u.guard.restore, outcome == Degraded && activation != nil && j.fleet.Inventory.Activation.KeepDegraded:
		u.clean(ctx)
		if checks != nil {
			cause = hinting(cause, checks.hint+"; the new system is live; if the host lost power now, "+u.boots())
		}
		return outcome, cause
	}
	return j.restore(ctx, u, cause)
}

// decidedAlready is the exit status of a unit of guard.sh that finds the deployment
// decided by another.
const decidedAlready = 75

// restore brings the old system back.
func (j *job) restore(ctx context.Context, u *unit, cause error) (Outcome, error) {
	r := u.sibling(StepRestore)
	var ended *endedError
	err := j.step(ctx, StepRestore, nil, func(ctx context.Context) (string, error) {
		var err error
		ended, err = r.restore(ctx, brief(cause))
		if err != nil {
			return "", err
		}
		if ended.result != "restored" {
			ended.why = or(ended.why, brief(cause))
			return "", ended
		}
		return "runs " + short(storePath(ended.current)) + " again", nil
	})
	if err != nil {
		if ended != nil {
			return ended.outcome(), errors.Join(err, cause)
		}
		return "", errors.Join(err, cause)
	}
	var activation *activationError
	if errors.As(cause, &activation) && (activation.status < 0 || activation.status == decidedAlready) && ended.why != "" && ended.why != brief(cause) {
		// The signal was the guard's, or the guard decided first: it has a reason.
		step := StepActivate
		if se := (*StepError)(nil); errors.As(cause, &se) {
			step = se.Step
		}
		ended.lines, ended.unit = activation.lines, activation.unit
		return ended.outcome(), j.stepError(step, ended)
	}
	hint := "the old system was brought back: " + u.survey.nowRuns(storePath(ended.current))
	if ended.code == 4 {
		hint += ", with failed units of its own"
	}
	var checks *failedChecks
	if errors.As(cause, &checks) {
		hint = checks.hint + "; " + hint
	}
	return RolledBack, hinting(cause, hint)
}

// restore has unit.sh do it, or finds it done.
func (u *unit) restore(ctx context.Context, why string) (*endedError, error) {
	end, err := u.follow(ctx, "restore", why)
	var ended *endedError
	switch {
	case errors.As(err, &ended):
		// By the guard, which leaves what became of it for whoever asks.
		u.clean(ctx)
		return ended, nil
	case err != nil:
		return nil, err
	}
	ended = end.ended(u.survey)
	if ended == nil || ended.result != "restored" {
		u.clean(ctx)
	}
	if ended == nil {
		return nil, &hintedError{fmt.Errorf("the host does not say what became of it; it runs %s", storePathOr(end.values["current"])),
			"see `journalctl -u " + u.name + "` there"}
	}
	return ended, nil
}

// brief is an error's cause on one line.
func brief(err error) string {
	text := err.Error()
	var se *StepError
	if errors.As(err, &se) {
		text = fmt.Sprintf("%s: %s", se.Step, se.Brief)
	}
	return strings.Join(strings.Fields(text), " ")
}

// hinting is a step's error with another hint.
func hinting(err error, hint string) error {
	var se *StepError
	if !errors.As(err, &se) {
		return err
	}
	other := *se
	other.Hint = hint
	return &other
}

// Restored tells of a deployment that a host's guard has brought to an end because
// it was not confirmed in time.
type Restored struct {
	// System is the one that was not confirmed, By who deployed it, in the host's
	// words, as is Why.
	System  nixcmd.StorePath
	By, Why string
	// At is when, by the host's clock.
	At time.Time
	// OK reports whether the old system was brought back.
	OK bool
}

// restoredOf is what the survey's answer has on it, nil if nothing.
func restoredOf(a answer) *Restored {
	as := a.values["restored/as"]
	if as != "restored" && as != "failed" {
		return nil
	}
	r := &Restored{System: storePath(a.values["restored/of"]), By: a.values["restored/by"], Why: a.values["restored/why"], OK: as == "restored"}
	if n, err := strconv.ParseInt(a.values["restored/at"], 10, 64); err == nil {
		r.At = time.Unix(n, 0)
	}
	return r
}

func (j *job) tellRestored(s Survey) {
	if s.Restored != nil {
		j.warn(StepSurvey, s.Restored.String())
	}
}

// String is one sentence.
func (r *Restored) String() string {
	at := r.At.Format("2006-01-02 15:04:05 MST")
	if !r.OK {
		return fmt.Sprintf("a deployment of %s by %s was given up at %s, and the old system could not be brought back: %s", short(r.System), r.By, at, r.Why)
	}
	return fmt.Sprintf("a deployment of %s by %s was rolled back at %s: %s", short(r.System), r.By, at, r.Why)
}
