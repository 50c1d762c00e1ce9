package fleet

import (
	_ "embed"
	"fmt"
	"os"
	"os/user"
	"strings"
	"time"
)

//go:embed remote/guard.sh
var guardScript string

// terse is a script without indentation and lines of comment: a slow link carries some
// 14 KB (RFC 6928) in its first round trip.
func terse(script string) string {
	var b strings.Builder
	for line := range strings.Lines(script) {
		if line = strings.TrimLeft(line, " "); !strings.HasPrefix(line, "#") && line != "\n" {
			b.WriteString(line)
		}
	}
	return b.String()
}

// Activation says how hosts are kept from being stranded by a system that does not
// work. The zero value is useful.
//
// Before a system is activated the host itself arms a timer that brings back the
// one that was live before, unless the new one is confirmed in time: over a new
// connection, after its health checks.
type Activation struct {
	// Timeout is how long an activation may take until it is ended and the old
	// system brought back, to the millisecond; 0 means 15 minutes.
	Timeout time.Duration
	// Confirm is how long after the activation's end the new system must be
	// confirmed, to the millisecond; 0 means 90 seconds. If health checks are to be
	// made, Health.Deadline is added.
	Confirm time.Duration
	// KeepDegraded leaves a system live of which units failed, instead of bringing
	// the old one back. It is not made the one that boots.
	KeepDegraded bool
}

func (a Activation) timeout() time.Duration { return or(a.Timeout, 15*time.Minute) }
func (a Activation) confirm() time.Duration { return or(a.Confirm, 90*time.Second) }

// guard is what a host is told of the deployment that it guards; see
// remote/guard.sh.
type guard struct {
	by               string
	timeout, confirm time.Duration
	// restore says whether the old system is brought back.
	restore bool
	// check is unit.sh's CHECK.
	check string
	// silent is how long nothing was heard from the host before the last word of its
	// activation.
	silent time.Duration
}

func (j *job) newGuard(s surveyed) *guard {
	a := j.fleet.Inventory.Activation
	g := &guard{by: whoami(), timeout: a.timeout(), confirm: a.confirm(), restore: !j.noRollback && s.survey.Current != "", check: "ask"}
	if j.noCheck {
		g.check = "no"
	}
	if j.checkup != nil {
		g.confirm += j.fleet.Inventory.Health.deadline()
	}
	return g
}

// whoami names this process to whoever finds a host locked by it.
func whoami() string {
	name := os.Getenv("USER")
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		host = "somewhere"
	}
	word := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r <= ' ' || r == 0x7f || r > 0xff {
				return '_'
			}
			return r
		}, or(s, "somebody"))
	}
	return fmt.Sprintf("%s@%s (pid %d)", word(name), word(host), os.Getpid())
}

// arguments are those of unit.sh's mode activate after the action. Both systemd and
// people read the durations.
func (g *guard) arguments() []string {
	restore := "no"
	if g.restore {
		restore = "yes"
	}
	return []string{g.by, exact(g.timeout), exact(g.confirm), restore}
}

// exact is a duration as systemd.time(7) reads it, never 0.
func exact(d time.Duration) string { return max(d.Round(time.Millisecond), time.Millisecond).String() }
