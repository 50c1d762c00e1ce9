package fleet

import (
	"fmt"
	"slices"
	"strings"
)

// judge turns switch-to-configuration's exit status into an outcome; the codes
// are those of nixpkgs' switch-to-configuration-ng (src/main.rs).
//
// Hints end with now, which says what the host is like; "" if that is not known.
func judge(end unitEnd, now string) (Outcome, error) {
	fail := func(text, hint string) error {
		return &activationError{text: text, hint: hint, status: end.status, lines: end.lines, unit: end.unit}
	}
	switch end.status {
	case 0:
		return Switched, nil
	case 4:
		return Degraded, fail("the new system came up, but units failed", andNow("it is live: see `systemctl --failed` on the host", now))
	case 11:
		return Locked, fail("another switch holds the host's lock", andNow("wait for it to end, then deploy again", now))
	case 100:
		return Staged, nil
	case -1:
		return Failed, fail("switch-to-configuration was ended by a signal", now)
	case 1:
		return Failed, fail("the new system refused to be switched to, with exit code 1", now)
	case 2:
		return Failed, fail("the activation script failed", now)
	case 101:
		return Failed, fail("switch-to-configuration crashed, with exit code 101", now)
	}
	return Failed, fail(fmt.Sprintf("switch-to-configuration failed with exit code %d", end.status), now)
}

func andNow(hint, now string) string {
	if now == "" {
		return hint
	}
	return hint + "; " + now
}

// verified checks the host's own words after the commit.
func verified(end unitEnd, s surveyed, outcome Outcome) (string, error) {
	current, profile, wanted, active := end.values["current"], end.values["profile"], s.eval.Toplevel, s.active()
	const meddling = "someone else is changing this host; deploy again once they are done"
	switch {
	case end.end == "not-live":
		return "", &hintedError{fmt.Errorf("after the activation the host runs %s, not %s", storePathOr(current), short(active)), meddling}
	case end.status != 0:
		how := fmt.Sprintf("failed with exit code %d", end.status)
		if end.status < 0 {
			how = "was ended by a signal"
		}
		text := "the new system came up, but making it the one that boots " + how
		if outcome == Staged {
			text = "making the new system the one that boots " + how + "; it was not activated"
		}
		boots := "the host boots " + storePathOr(profile)
		if end.status < 0 || s.survey.Uncommitted {
			boots = "what the host boots is not known"
		}
		return "", &activationError{text: text,
			hint: boots + "; deploy again once the cause is mended", status: end.status, lines: end.lines, unit: end.unit}
	case outcome == Activated && current == string(active):
		if s.survey.Uncommitted {
			return "runs " + short(active) + "; " + s.survey.bootsUnknown(), nil
		}
		return "runs " + short(active) + ", boots " + storePathOr(profile), nil
	case profile != string(wanted) && outcome != Activated:
		return "", &hintedError{fmt.Errorf("the host's system profile is %s, not %s", storePathOr(profile), short(wanted)), meddling}
	case outcome == Staged && current == string(wanted) && s.survey.Profile == wanted && !s.survey.Uncommitted:
		return "runs and boots " + short(wanted) + ", as before: nothing has changed", nil
	case outcome == Staged && current == string(wanted):
		return "runs and boots " + short(wanted), nil
	case outcome == Staged:
		return "boots " + short(wanted) + " next", nil
	case current != string(active):
		return "", &hintedError{fmt.Errorf("the host runs %s by now, not %s", storePathOr(current), short(active)), meddling}
	case active != wanted:
		return "runs " + short(active) + ", a specialisation of " + short(wanted) + ", which it boots", nil
	}
	return "runs and boots " + short(wanted), nil
}

func storePathOr(text string) string {
	if p := storePath(text); p != "" {
		return short(p)
	}
	return fmt.Sprintf("%q", text)
}

// activationError is a switch-to-configuration that ended badly, with the last
// lines it printed.
type activationError struct {
	text, hint string
	status     int
	lines      []string
	unit       string
}

func (e *activationError) details() []string { return journaled(e.lines, e.unit) }

// journaled are the last lines of a unit, and where all of them are.
func journaled(lines []string, unit string) []string {
	if len(lines) == 0 || unit == "" {
		return lines
	}
	return append(slices.Clone(lines), fmt.Sprintf("all of it: journalctl -u %s, on the host", unit))
}

func (e *activationError) Error() string { return e.text }
func (e *activationError) Hint() string  { return e.hint }

func (e *activationError) command() (argv []string, code int, stderr string) {
	return []string{"switch-to-configuration"}, e.status, strings.Join(e.lines, "\n")
}
