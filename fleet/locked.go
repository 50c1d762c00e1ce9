package fleet

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

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
