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
	// DeploymentRuns: it is being activated or confirmed.
	DeploymentRuns DeploymentState = "under way"
	// DeploymentGoesBack: it was given up, or not confirmed in time, and is being taken
	// back. It can no longer be confirmed.
	DeploymentGoesBack DeploymentState = "going back"
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

// deploymentOf is what survey.sh says of it, nil if none has the host.
func deploymentOf(a answer) *HostDeployment {
	get := func(key string) string { return a.values["lock/"+key] }
	if get("id") == "" {
		return nil
	}
	d := &HostDeployment{State: DeploymentLeft, By: get("by"), System: storePath(get("toplevel")), Previous: storePath(get("previous")),
		GoesBack: get("restore") == "yes"}
	if n, err := strconv.ParseInt(get("since"), 10, 64); err == nil {
		d.Since = time.Unix(n, 0)
	}
	var timers, runs, commits, back bool
	for _, unit := range strings.Fields(get("units")) {
		name, sub, _ := strings.Cut(unit, "/")
		switch {
		case strings.HasSuffix(name, ".timer"):
			timers = timers || sub == "waiting"
		case sub == "exited" || sub == "failed" || sub == "dead":
		case strings.HasPrefix(name, "flotilla-commit-"):
			commits = true
		case strings.HasPrefix(name, "flotilla-guard-"), strings.HasPrefix(name, "flotilla-confirm-"), strings.HasPrefix(name, "flotilla-restore-"):
			back = true
		default:
			runs = true
		}
	}
	switch {
	// What would take it back waits for a commit.
	case commits, runs && !back:
		d.State = DeploymentRuns
	case back:
		d.State = DeploymentGoesBack
	case timers:
		d.State = DeploymentWaits
		d.Left = leftOf(get)
	}
	return d
}

// leftOf is how long a deployment still waits, by the host's monotonic clock.
func leftOf(get func(string) string) time.Duration {
	armed, err1 := strconv.ParseInt(get("armed"), 10, 64) // µs
	now, err2 := strconv.ParseFloat(get("now"), 64)       // s
	confirm, err3 := time.ParseDuration(get("confirm"))
	const most = 1 << 31 // seconds, which no host is up
	if err1 != nil || err2 != nil || err3 != nil || armed <= 0 || armed > most*1_000_000 || !(now > 0 && now < most) {
		return 0
	}
	waited := time.Duration(now*float64(time.Second)) - time.Duration(armed)*time.Microsecond
	return max(0, confirm-min(max(0, waited), longestGuard)).Round(time.Second)
}

// who names who deploys, as far as that is known.
func (d *HostDeployment) who() string { return d.signed(", by ", " since ") }

// begun is who, after what somebody else may do.
func (d *HostDeployment) begun() string { return d.signed("; begun by ", " at ") }

func (d *HostDeployment) signed(by, at string) string {
	switch {
	case d.By == "":
		return ""
	case d.Since.IsZero():
		return by + d.By
	}
	return by + d.By + at + moment(d.Since)
}

// goesBack says that it is taken back.
func (d *HostDeployment) goesBack() string {
	switch {
	case !d.GoesBack:
		return "a deployment is being given up"
	case d.Previous == "":
		return "the host is going back to what it ran before a deployment"
	}
	return fmt.Sprintf("the host is going back to %s, what it ran before a deployment", short(d.Previous))
}

// Holds says in a sentence what keeps another deployment from the host while this one has
// it; "" if nothing does, since it is over.
func (d *HostDeployment) Holds(host string) string {
	if d == nil {
		return ""
	}
	switch d.State {
	case DeploymentRuns:
		return "a deployment is under way" + d.who()
	case DeploymentWaits, DeploymentGoesBack:
		return d.note(host)
	case DeploymentLeft:
	}
	return ""
}

// note is one sentence on a deployment that is not under way, what to do first.
func (d *HostDeployment) note(host string) string {
	switch d.State {
	case DeploymentLeft:
		return fmt.Sprintf("a lock was left, which `unlock %s` or the next deployment removes%s", host, d.begun())
	case DeploymentGoesBack:
		return d.goesBack() + d.begun()
	case DeploymentRuns, DeploymentWaits:
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
	return text + d.begun()
}

// moment is a time by the host's clock; of one long ago, or to come, the day as well.
func moment(at time.Time) string {
	if time.Since(at).Abs() < 12*time.Hour {
		return at.Format("15:04:05 MST")
	}
	return at.Format("2006-01-02 15:04:05 MST")
}
