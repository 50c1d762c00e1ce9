package fleet

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

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
		if n, err := strconv.Atoi(e.values["status"]); err == nil {
			e.status = n
		}
	}
	return nil
}

var errNeverStarted = errors.New("cancelled before it began")
