package fleet

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/nixflotilla/flotilla/nixcmd"
)

//go:embed remote/unit.sh
var unitScript string

// unit is a command that runs in a detached transient unit of a host. A
// connection that drops does not concern it: its output is in the host's
// journal and its exit status with the host's service manager.
type unit struct {
	job  *job
	step Step
	// run is the run's context; once it is done nothing is started any more.
	run    context.Context
	conn   Remote
	survey Survey
	name   string
	cursor string
	// generation is what a commit switches the profile to; "-" is a new one, and "none"
	// leaves the profile alone.
	generation string
	// live says that a commit is of a system that must be live.
	live bool
	// each receives the lines that the command prints; nil means nobody looks.
	each func(line string)
	// seen says that unit.sh has answered at least once.
	seen bool
	// toplevel is the system that the unit is about, active what of it is to be live.
	toplevel, active nixcmd.StorePath
	// guard is nil for a unit that changes nothing.
	guard *guard
	// fresh has the first call made over a new connection, which is tried for as
	// long as the guard waits.
	fresh bool
	// activated, unless nil, is called once the new system is known to have come up,
	// before the call has come to its end.
	activated func()
	// ahead is a commit whose connection is made before its time; nil if there is none.
	ahead *ahead
}

func (j *job) newUnit(run context.Context, step Step, s surveyed) *unit {
	u := &unit{job: j, step: step, run: run, conn: s.conn, survey: s.survey, toplevel: s.eval.Toplevel, active: s.active(),
		name: "flotilla-" + string(step) + "-" + strings.ToLower(rand.Text())[:12], cursor: "-", generation: "-"}
	switch {
	case j.keepsBoot:
		u.generation = "none"
	case s.generation > 0:
		u.generation = strconv.Itoa(s.generation)
	}
	return u
}

// sibling is another unit of the same deployment.
func (u *unit) sibling(step Step) *unit {
	_, id, _ := cutLast(u.name, "-")
	return &unit{job: u.job, step: step, run: u.run, conn: u.conn, survey: u.survey, toplevel: u.toplevel, active: u.active, guard: u.guard,
		name: "flotilla-" + string(step) + "-" + id, cursor: "-", generation: u.generation}
}

// activate is start under the host's lock, with the guard armed.
func (u *unit) activate(ctx context.Context, action string) (unitEnd, error) {
	return u.follow(ctx, "activate", action, slices.Concat(u.guard.arguments(), []string{u.generation, u.guard.check})...)
}

// start runs switch-to-configuration with an action and waits for its end.
func (u *unit) start(ctx context.Context, action string) (unitEnd, error) {
	return u.follow(ctx, "start", action)
}

// commit makes the system the profile and the boot entry, and waits for its end. If
// all is well it forgets the deployment.
func (u *unit) commit(ctx context.Context, mustBeLive bool) (unitEnd, error) {
	live := "any"
	if mustBeLive {
		live = "live"
	}
	u.fresh, u.live = true, mustBeLive
	end, err := u.follow(ctx, "commit", live)
	if ended := (*endedError)(nil); errors.As(err, &ended) && ended.result == "committed" {
		end.status = 0
		return end, nil
	}
	return end, err
}

// clean forgets the unit. What goes wrong is of no consequence: an ended unit
// does no harm, and is gone with the next boot.
func (u *unit) clean(ctx context.Context) {
	_, _ = u.job.runUnit(ctx, u.conn.Run, u.survey, nil, "clean", u.name)
}
