package fleet

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
)

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

func (e *endedError) details() []string { return journaled(e.lines, e.unit) }
