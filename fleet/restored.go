package fleet

import (
	"fmt"
	"strconv"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
)

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
