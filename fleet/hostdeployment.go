package fleet

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
)

// DeploymentState is how far a deployment is that has a host.
type DeploymentState string

// The states.
const (
	// DeploymentRuns: it is being activated, confirmed or taken back.
	DeploymentRuns DeploymentState = "under way"
	// DeploymentWaits: it was activated, and waits to be confirmed.
	DeploymentWaits DeploymentState = "waiting"
	// DeploymentLeft: nothing goes on any more, and its lock was left behind.
	DeploymentLeft DeploymentState = "left"
)

// HostDeployment is the deployment that has a host's lock, in the host's words.
type HostDeployment struct {
	// State is how far it is.
	State DeploymentState
	// By is who deploys, and Since when that began, by the host's clock; empty and zero
	// if the host does not say.
	By    string
	Since time.Time
	// System is what is deployed, Previous what was live before; empty if unknown.
	System, Previous nixcmd.StorePath
	// GoesBack reports whether Previous is brought back unless it is confirmed in time.
	GoesBack bool
	// Left is how long it still waits, by the host's clock, to the second; 0 if it does
	// not, or if that is not known.
	Left time.Duration
}

// deploymentOf is what status.sh says of it, nil if none has the host.
func deploymentOf(a answer) *HostDeployment {
	get := func(key string) string { return a.values["status/lock/"+key] }
	if get("id") == "" {
		return nil
	}
	d := &HostDeployment{State: DeploymentLeft, By: get("by"), System: storePath(get("toplevel")), Previous: storePath(get("previous")),
		GoesBack: get("restore") == "yes"}
	if n, err := strconv.ParseInt(get("since"), 10, 64); err == nil {
		d.Since = time.Unix(n, 0)
	}
	timers := false
	for _, unit := range strings.Fields(get("units")) {
		name, sub, _ := strings.Cut(unit, "/")
		switch {
		case strings.HasSuffix(name, ".timer"):
			timers = timers || sub == "waiting"
		case sub != "exited" && sub != "failed" && sub != "dead":
			d.State = DeploymentRuns
		}
	}
	if d.State == DeploymentRuns || !timers {
		return d
	}
	d.State = DeploymentWaits
	armed, err1 := strconv.ParseInt(get("armed"), 10, 64)
	now, err2 := strconv.ParseInt(a.values["status/now"], 10, 64)
	confirm, err3 := time.ParseDuration(get("confirm"))
	const most = 1 << 40 // seconds, which is no date of anything
	if err1 == nil && err2 == nil && err3 == nil && armed > 0 && armed < most && now > 0 && now < most {
		d.Left = max(0, confirm-time.Duration(min(max(0, now-armed), int64(longestGuard/time.Second)))*time.Second).Round(time.Second)
	}
	return d
}

// who names who deploys, as far as that is known.
func (d *HostDeployment) who() string {
	switch {
	case d.By == "":
		return ""
	case d.Since.IsZero():
		return ", by " + d.By
	}
	return fmt.Sprintf(", by %s since %s", d.By, moment(d.Since))
}

// note is one sentence on a deployment that is not under way, what to do first.
func (d *HostDeployment) note(host string) string {
	if d.State == DeploymentLeft {
		return fmt.Sprintf("a lock was left, which `unlock %s` or the next deployment removes%s", host, d.who())
	}
	text := fmt.Sprintf("waits to be confirmed: `confirm %s`", host)
	if d.Left > 0 {
		text = fmt.Sprintf("waits %s to be confirmed: `confirm %s`", d.Left, host)
	}
	if d.GoesBack {
		text += ", or it goes back"
		if d.Previous != "" {
			text += " to " + short(d.Previous)
		}
	}
	return text + d.who()
}

// moment is a time by the host's clock; of one long ago, or to come, the day as well.
func moment(at time.Time) string {
	if time.Since(at).Abs() < 12*time.Hour {
		return at.Format("15:04:05 MST")
	}
	return at.Format("2006-01-02 15:04:05 MST")
}
