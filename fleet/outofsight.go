package fleet

import (
	"errors"
	"fmt"
)

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

// lost is the error for a host that does not come back, or that can be reached and tells
// nothing.
func (u *unit) lost(err error) error {
	what := "could not be reached again"
	if !dropped(err) {
		what = "did not tell what became of it"
	}
	return &outOfSightError{text: fmt.Sprintf("the host %s within %s: %v", what, u.patience(), err),
		unit: u.name, boots: "what it runs and boots now is not known; " + u.goesBack(), err: err, lost: true}
}

// unconfirmed is the error for a host that no new connection can be made to, or that no
// longer takes the password, and that should have gone back by now.
func (u *unit) unconfirmed(err error) error {
	what := "no new connection could be made"
	if errors.Is(err, ErrPasswordRefused) {
		what = "nobody could become root"
	}
	is := "nothing was activated"
	if u.live {
		what, is = what+" after the activation", "the new system is live, but not confirmed"
	}
	if u.guard.restore {
		is = fmt.Sprintf("the host was to go back to %s by itself within %s", u.old(), u.guard.confirm)
	}
	return &hintedError{fmt.Errorf("%s, so that it was not confirmed: %w", what, err), is + "; if it lost power now, " + u.boots()}
}

// old is what the host goes back to.
func (u *unit) old() string {
	if u.survey.Current == "" {
		return "the old system"
	}
	return short(u.survey.Current)
}

// abandoned is the error for a unit that is no longer waited for.
func (u *unit) abandoned(err error) error {
	switch {
	case u.mayRun(err):
	case u.step == StepRestore:
		return &hintedError{ErrAbandoned, u.goesBack()}
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

// goesBack says what becomes of a host that nobody looks after any more.
func (u *unit) goesBack() string {
	if u.guard == nil || !u.guard.restore || u.step == StepCommit && u.seen {
		return u.boots()
	}
	if u.step == StepRestore { // too late to confirm it
		return fmt.Sprintf("the host goes back to %s by itself", short(u.survey.Current))
	}
	return fmt.Sprintf("unless `confirm %s` is run within %s of its activation, the host goes back to %s by itself",
		u.job.host.Name, exact(u.guard.confirm), u.old())
}
