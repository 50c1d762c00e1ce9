package fleet

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nixflotilla/flotilla/sshpool"
)

// bootIDFile tells one boot of one machine from every other, which a name that is looked up
// on another machine does not.
const bootIDFile = "/proc/sys/kernel/random/boot_id"

// reachPatience is how long a build host may take to find out whether it reaches a target.
const reachPatience = 8 * time.Second

// reach is whether a build host can log in to a target by itself.
type reach struct {
	turn  chan struct{} // holds one while it is being found out
	known bool
	why   string // why not, empty if it can
}

// reaches remembers them for as long as the fleet is open. The zero value is ready.
type reaches struct {
	mu sync.Mutex
	of map[[2]string]*reach
}

func (r *reaches) between(on, target string) *reach {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil {
		r.of = map[[2]string]*reach{}
	}
	one := r.of[[2]string{on, target}]
	if one == nil {
		one = &reach{turn: make(chan struct{}, 1)}
		r.of[[2]string{on, target}] = one
	}
	return one
}

// onward is the job's host as another machine reaches it: the way there from here, in
// ssh-options, is not the way from there.
func (j *job) onward() sshpool.Target {
	return sshpool.Target{Host: j.host.Address, User: or(j.host.User, j.said.User), Port: j.host.Port}
}

// reachedFrom finds out why a build host cannot log in to the job's host by itself, with its
// own keys; "" if it can. It is asked once, and costs a session there.
func (j *job) reachedFrom(ctx context.Context, on Host, conn Remote) (why string) {
	r := j.fleet.reaches.between(on.Name, j.host.Name)
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		return ""
	}
	defer func() { <-r.turn }()
	if !r.known {
		why := j.tryFrom(ctx, conn)
		if ctx.Err() != nil {
			return ""
		}
		r.why, r.known = why, true
	}
	return r.why
}

func (j *job) tryFrom(ctx context.Context, conn Remote) (why string) {
	if j.said.BootID == "" {
		return "it does not say which machine it is"
	}
	argv, err := sshpool.OnwardArgs(j.onward(), "cat", bootIDFile)
	if err != nil {
		return oneLine(err)
	}
	ctx, cancel := context.WithTimeout(ctx, reachPatience)
	defer cancel()
	res, err := conn.Run(ctx, sshpool.Cmd{Argv: argv})
	var exit *sshpool.ExitError
	switch {
	case errors.As(err, &exit):
		lines := lastLines(string(res.Stderr))
		return or(strings.TrimSpace(lines[len(lines)-1]), fmt.Sprintf("exit code %d", exit.Code))
	case ctx.Err() != nil:
		return "no answer within " + reachPatience.String()
	case err != nil:
		return oneLine(err)
	case strings.TrimSpace(string(res.Stdout)) != j.said.BootID:
		return fmt.Sprintf("what it reaches as %s is another machine", j.host.Address)
	}
	return ""
}

// route is how a built system gets to the job's host. The zero value is from here.
type route struct {
	// on is the host that has the system, another than the job's; conn is the connection to
	// it.
	on   Host
	conn Remote
	// detour is why what it has goes through here; "" if it goes straight.
	detour string
}

// route finds the way from where the system was built.
func (j *job) route(ctx context.Context) (route, error) {
	on := j.builtOn()
	if on == "" || on == j.host.Name {
		return route{}, nil
	}
	b, err := j.fleet.named(on)
	if err != nil {
		return route{}, err
	}
	conn, err := j.connectBuilder(ctx, b)
	if err != nil {
		return route{}, err
	}
	r := route{on: b, conn: conn}
	if why := j.reachedFrom(ctx, b, conn); why != "" {
		r.detour = fmt.Sprintf("%s cannot log in to it (%s)", on, why)
	}
	return r, nil
}

// straight reports whether nothing that is copied comes through here.
func (r route) straight() bool { return r.conn != nil && r.detour == "" }

// String is what to add to the end of a copy.
func (r route) String() string {
	switch {
	case r.conn == nil:
		return ""
	case r.straight():
		return ", straight from " + r.on.Name
	}
	return ", from " + r.on.Name + " through here: " + r.detour
}
