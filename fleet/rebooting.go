package fleet

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

//go:embed remote/reboot.sh
var rebootScript string

// Reboot says how hosts are rebooted. The zero value is useful.
type Reboot struct {
	// Timeout is how long a host may take from the command to its first answer
	// after the boot; 0 means 5 minutes.
	Timeout time.Duration
}

func (r Reboot) timeout() time.Duration { return or(r.Timeout, 5*time.Minute) }

// fileReboot is [reboot] as it is written.
type fileReboot struct {
	Timeout duration `toml:"timeout"`
}

func (f fileReboot) reboot(r *reader) Reboot {
	return Reboot{Timeout: r.above0(f.Timeout, "reboot", "timeout")}
}

// RebootOptions are options of Fleet.Reboot. The zero value is useful.
type RebootOptions struct {
	// IfNeeded leaves hosts alone that wait for no reboot: what they run differs
	// from what they booted in no part that only a boot changes, and they boot what
	// they run.
	IfNeeded bool
	// SkipHealth leaves out the checks of Inventory.Health.
	SkipHealth bool
	// Abandon, when closed, stops the wait for hosts that are rebooting; see
	// DeployOptions.Abandon.
	Abandon <-chan struct{}
}

// Reboot reboots hosts, in the waves of Inventory.Rollout: a wave begins once
// every host of those before is back, and Rollout.Pause has passed. A host is back
// when it answers with another boot id and runs the system that its profile was
// at; then its health checks are made. It is Rebooted.
//
// One that a deployment has, or that waits to be confirmed, is not rebooted: it is Locked.
// A host that does not answer within Reboot.Timeout is Unreachable. One that has
// not gone down, or comes back on another system, is Failed; one that is not
// healthy is Degraded. Once a host is one of these no further one is rebooted,
// unless Rollout.MaxFailures allows for more.
//
// When ctx is done no further host is rebooted, but those that are rebooting are
// waited for.
func (f *Fleet) Reboot(ctx context.Context, hosts []Host, opt RebootOptions) *Report {
	hosts = distinct(hosts)
	g, starting := newGate(ctx, f.Inventory.Rollout, hosts)
	defer g.stop(nil)
	return f.runIn(ctx, AtOnce, hosts, g.behind(starting, func(ctx context.Context, j *job) (Outcome, error) {
		outcome, begun, err := j.reboot(ctx, opt)
		if err != nil && begun && f.Inventory.Rollout.MaxFailures == nil {
			g.stop(&stoppedError{fmt.Sprintf("not rebooted, because %s ended as %s", j.host.Name, or(outcome, outcomeOf(ctx, err)))})
		}
		return outcome, err
	}))
}

// reboot is the work of Reboot on one host. Begun says whether it was, or may
// have been, told to reboot.
func (j *job) reboot(ctx context.Context, opt RebootOptions) (_ Outcome, begun bool, err error) {
	conn, s, err := j.connectAndSurvey(ctx)
	if err != nil {
		return "", false, err
	}
	why := s.rebootReason()
	if opt.IfNeeded && why == "" {
		j.set(func(r *Result) { r.Reason = "it waits for no reboot" })
		j.emit(Event{Kind: KindDecided, Text: "it waits for no reboot"})
		return Unchanged, false, nil
	}
	if s.Root == RootNo {
		return "", false, j.stepError(StepSurvey, noRootError(s))
	}
	if !s.Systemd {
		return "", false, j.stepError(StepSurvey, &unfitError{"the host is not run by systemd", "reboot it by hand"})
	}
	if s.Uncommitted {
		j.warn(StepSurvey, s.unfinished()+": it may boot something else than its profile")
	}
	j.emit(Event{Kind: KindDecided, Text: or(why, "it waits for no reboot; it was asked for")})
	at := surveyed{conn: conn, survey: s, eval: nixcmd.Evaluation{Toplevel: s.Profile}}
	if err := j.tryPassword(ctx, at); err != nil {
		return "", false, j.stepError(StepSurvey, err)
	}
	if !opt.SkipHealth {
		if j.checkup, err = j.startCheckup(ctx, at); err != nil {
			return "", false, err
		}
		defer j.checkup.end()
		j.checkup.before()
	}
	if err := j.gate.enter(ctx, j); err != nil {
		return "", false, err
	}
	outcome, err := j.rebootNow(ctx, at, opt.Abandon)
	if outcome == "" && err == nil {
		outcome = Rebooted
	}
	return outcome, outcome != Locked, err
}

// rebootReason says what a host waits for a reboot for; empty if it does not.
func (s Survey) rebootReason() string {
	switch {
	case len(s.RebootPending) > 0:
		return "it waits for a reboot, for " + strings.Join(s.RebootPending, ", ")
	case s.liveToplevel() != s.Profile && s.Current == s.Booted && s.Uncommitted:
		return fmt.Sprintf("it runs %s, and its profile is %s", short(s.Current), short(s.Profile))
	case s.liveToplevel() != s.Profile && s.Current == s.Booted:
		return fmt.Sprintf("it runs %s, and will boot %s", short(s.Current), short(s.Profile))
	}
	return ""
}

// rebootAfter reboots a host that was just deployed to, if its outcome says that
// it waits for that.
func (j *job) rebootAfter(ctx context.Context, s surveyed, outcome Outcome, abandon <-chan struct{}) (Outcome, error) {
	if outcome != SwitchedNeedsReboot && outcome != Staged {
		return outcome, nil
	}
	if ctx.Err() != nil {
		j.warn(StepReboot, "not rebooted, because the run was cancelled")
		return outcome, nil
	}
	// The one that the activation ended with may be another by now.
	conn, err := j.fleet.dialer.Connect(ctx, j.host)
	if err != nil {
		return outcome, j.stepError(StepReboot, err)
	}
	s.conn = conn
	bad, err := j.rebootNow(ctx, s, abandon)
	if err != nil || s.specialised == "" {
		return or(bad, Switched), err
	}
	// It has booted the system that the specialisation is of.
	if s.conn, s.survey, err = j.connectAndSurvey(ctx); err != nil {
		return "", err
	}
	return j.activate(ctx, s, abandon)
}

// rebootNow reboots the host into the wanted system, and checks it afterwards.
// Without an error the outcome is empty.
func (j *job) rebootNow(run context.Context, s surveyed, abandon <-chan struct{}) (outcome Outcome, err error) {
	if run.Err() != nil {
		return "", j.stepError(StepReboot, context.Cause(run))
	}
	ctx, release := untilAbandoned(run, abandon)
	defer release()
	var now surveyed
	err = j.step(ctx, StepReboot, nil, func(ctx context.Context) (string, error) {
		began := time.Now()
		if err := j.tellToReboot(ctx, s); err != nil {
			return "", err
		}
		now = s
		if now.conn, now.survey, err = j.await(ctx, s, began.Add(j.fleet.Inventory.Reboot.timeout())); err != nil {
			return "", err
		}
		took := time.Since(began)
		if at := now.survey; at.Booted != s.eval.Toplevel || at.Current != s.eval.Toplevel {
			return "", cameBackWrong(at, s.eval.Toplevel)
		}
		text := fmt.Sprintf("back after %s on %s", took.Round(time.Second), short(s.eval.Toplevel))
		j.set(func(r *Result) {
			r.Reason, r.RebootFor = strings.TrimPrefix(r.Reason+"; "+text, "; "), now.survey.RebootPending
		})
		return text, nil
	})
	var (
		gone   *notBackError
		locked *lockedError
	)
	switch {
	case errors.As(err, &gone) && gone.down:
		return Unreachable, err
	case errors.As(err, &locked):
		return Locked, err
	}
	// A specialisation, which no boot leads to, is checked once it is live again.
	if err != nil || j.checkup == nil || s.specialised != "" {
		return "", err
	}
	err = j.step(ctx, StepHealth, nil, func(ctx context.Context) (string, error) {
		text, err := j.check(ctx, now.conn, j.checkup.checks, false, j.checkup.failed)
		if failed := new(failedChecks); errors.As(err, &failed) {
			failed.hint = fmt.Sprintf("it has rebooted, and runs and boots %s; mend it, or correct [health.checks.%s] in %s", short(s.eval.Toplevel), failed.failed[0].Check, FileName)
		}
		return text, err
	})
	if failed := new(failedChecks); errors.As(err, &failed) {
		return Degraded, err
	}
	return "", err
}

// tellToReboot makes the host reboot. A connection that ends on that is no error.
func (j *job) tellToReboot(ctx context.Context, s surveyed) error {
	unit := "flotilla-reboot-" + strings.ToLower(rand.Text())[:12]
	res, err := j.asRoot(ctx, s.conn.Run, s.survey, nil, rebootScript, unit+".service", s.survey.BootID)
	var se *sshpool.Error
	if errors.As(err, &se) && se.Kind == sshpool.KindLost && !se.NotStarted {
		return nil
	}
	if err != nil {
		return err
	}
	a, err := parseAnswer(string(res.Stdout))
	switch {
	case errors.Is(err, errCutShort) && a.values["flotilla-reboot"] == "1":
		return nil
	case err != nil:
		return err
	case a.end == "locked":
		return j.lockedNow(ctx, s.conn, a)
	case a.end == "no-systemd":
		return errors.New("the host is not run by systemd")
	case a.end != "ok" && a.end != "rebooted":
		return fmt.Errorf("the host could not be told to reboot: %s", or(a.values["problem"], a.end))
	}
	return nil
}

// await waits until the host answers in another boot.
func (j *job) await(ctx context.Context, s surveyed, deadline time.Time) (Remote, Survey, error) {
	timeout := j.fleet.Inventory.Reboot.timeout()
	last := &notBackError{timeout: timeout, boots: s.eval.Toplevel}
	within, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	j.progress(StepReboot, "goes down", 0, 0)
	// An answer, or its lack, that the deadline cut short tells nothing if there was
	// one before.
	for answered := false; ; {
		conn, now, err := j.surveyOnce(within)
		switch {
		case err == nil && now.BootID != "" && now.BootID != s.survey.BootID && now.Current != "":
			return conn, now, nil
		case ctx.Err() != nil:
			return nil, Survey{}, &hintedError{ErrAbandoned, fmt.Sprintf("it was told to reboot, and should boot %s; `status` tells once it is back", short(s.eval.Toplevel))}
		case err == nil:
			answered, last.down = true, false
		case within.Err() == nil || !answered:
			if !last.down {
				j.progress(StepReboot, "is down", 0, 0)
			}
			answered, last.down, last.err = true, true, err
		}
		select {
		case <-within.Done():
			if ctx.Err() == nil {
				return nil, Survey{}, last
			}
		case <-time.After(time.Second):
		}
	}
}

// surveyOnce makes one attempt, of bounded length: a connection from before the
// reboot may be dead without anybody knowing.
func (j *job) surveyOnce(ctx context.Context) (conn Remote, s Survey, err error) {
	ctx, cancel := context.WithTimeout(ctx, or(j.fleet.Inventory.SSH.ConnectTimeout, 10*time.Second)+5*time.Second)
	defer cancel()
	if conn, err = j.fleet.dialer.Connect(ctx, j.host); err == nil {
		s, err = survey(ctx, conn, j.host.Become)
	}
	return conn, s, err
}

// notBackError says that a host did not come back in time.
type notBackError struct {
	timeout time.Duration
	boots   nixcmd.StorePath
	// down reports whether it was seen to be gone.
	down bool
	err  error
}

func (e *notBackError) Unwrap() error { return e.err }

func (e *notBackError) Error() string {
	if e.down {
		return fmt.Sprintf("the host did not come back within %s of its reboot: %v", e.timeout, e.err)
	}
	return fmt.Sprintf("the host did not go down within %s of being told to reboot", e.timeout)
}

func (e *notBackError) Hint() string {
	if e.down {
		return fmt.Sprintf("look at its console: it should boot %s, and the boot loader has the one before too; if it only needs longer, set timeout under [reboot] in %s", short(e.boots), FileName)
	}
	return "see `systemctl list-jobs` on the host for what it waits for"
}

// cameBackWrong is the error for a host that booted another system than it should.
func cameBackWrong(now Survey, wanted nixcmd.StorePath) error {
	if now.Booted == wanted {
		return &hintedError{fmt.Errorf("the host came back on %s, but runs %s by now", short(wanted), short(now.Current)),
			"someone else is changing this host"}
	}
	return &hintedError{fmt.Errorf("the host came back on %s, not on %s", short(now.Booted), short(wanted)),
		"its boot loader did not boot the system that its profile is at: see `bootctl status` or the boot menu there, then deploy again"}
}
