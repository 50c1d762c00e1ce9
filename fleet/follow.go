package fleet

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

//go:embed remote/unit.sh
var unitScript string

// reattachFor is how long a host may be gone in the middle of an activation
// before it is given up; a bridge or a firewall that restarts takes seconds.
const reattachFor = 3 * time.Minute

// unit is a command that runs in a detached transient unit of a host. A
// connection that drops does not concern it: its output is in the host's
// journal and its exit status with the host's service manager.
type unit struct {
	job    *job
	step   Step
	root   Root
	conn   Remote
	bootID string
	name   string
	cursor string
}

func (j *job) newUnit(s Step, s0 surveyed) *unit {
	return &unit{job: j, step: s, root: s0.survey.Root, conn: s0.conn, bootID: s0.survey.BootID, name: "flotilla-" + string(s) + "-" + strings.ToLower(rand.Text())[:12], cursor: "-"}
}

// start runs switch-to-configuration with an action and waits for its end.
func (u *unit) start(ctx context.Context, toplevel nixcmd.StorePath, action string) (unitEnd, error) {
	return u.follow(ctx, "start", string(toplevel), action)
}

// commit makes a system the profile and the boot entry, and waits for its end.
// If all is well it forgets both units.
func (u *unit) commit(ctx context.Context, toplevel nixcmd.StorePath, mustBeLive bool, activation *unit) (unitEnd, error) {
	live := "any"
	if mustBeLive {
		live = "live"
	}
	return u.follow(ctx, "commit", string(toplevel), live, activation.name)
}

// unitEnd is how a unit ended.
type unitEnd struct {
	answer
	// status is the exit status, or -1 if a signal ended the command.
	status int
	// lines are the last of what the command printed.
	lines []string
}

func (e *unitEnd) keep(line string) {
	const most = 40
	if len(e.lines) == most {
		e.lines = append(e.lines[:0], e.lines[1:]...)
	}
	e.lines = append(e.lines, line)
}

// follow runs one mode of unit.sh, and re-attaches when the connection drops.
func (u *unit) follow(ctx context.Context, mode string, args ...string) (unitEnd, error) {
	var end unitEnd
	var problems []string
	gone := time.Time{}
	for {
		var text strings.Builder
		cmd := u.root.script(unitScript, append([]string{mode, u.name, u.cursor}, args...)...)
		cmd.Stdout = func(line string) {
			gone = time.Time{}
			key, value, _ := strings.Cut(line, " ")
			switch key {
			case "log":
				end.keep(value)
				u.job.log(u.step, value)
			case "cursor":
				u.cursor = value
			case "problem":
				problems = append(problems, value)
			default:
				text.WriteString(line + "\n")
			}
		}
		_, err := u.conn.Run(ctx, cmd)
		if err == nil {
			if end.answer, err = parseAnswer(text.String()); err == nil {
				return end, end.check(u.bootID, problems)
			}
		}
		if ctx.Err() != nil || !dropped(err) {
			return end, err
		}
		if gone.IsZero() {
			gone = time.Now()
			u.job.warn(u.step, "the connection dropped; the activation goes on there, attaching again")
		}
		if time.Since(gone) > reattachFor {
			return end, &lostError{unit: u.name, err: err}
		}
		u.reconnect(ctx)
		var se *sshpool.Error
		if !errors.As(err, &se) || !se.NotStarted {
			mode, args = "attach", args[:1]
		}
	}
}

// dropped reports whether the connection, rather than the command, failed.
func dropped(err error) bool {
	var se *sshpool.Error
	return errors.Is(err, errCutShort) || errors.As(err, &se) &&
		(se.Kind == sshpool.KindLost || se.Kind == sshpool.KindUnreachable)
}

// reconnect makes one attempt at a new connection, after a pause.
func (u *unit) reconnect(ctx context.Context) {
	select {
	case <-ctx.Done():
		return
	case <-time.After(time.Second):
	}
	if c, err := u.job.fleet.dialer.Connect(ctx, u.job.host); err == nil {
		u.conn = c
	}
}

// check turns what the script said into an error, if the unit did not come to
// an end of its own. An exit status other than 0 is not an error here.
func (e *unitEnd) check(bootID string, problems []string) error {
	switch {
	case e.end == "ok" || e.end == "not-live":
	case e.end == "not-a-system":
		return errors.New("the copied path is not a NixOS system: it has no nixos-version or no bin/switch-to-configuration")
	case e.end == "no-systemd":
		return errors.New("the host is not run by systemd")
	case len(problems) > 0:
		return fmt.Errorf("the host could not start the unit: %s", strings.Join(problems, "; "))
	case e.values["boot-id"] != bootID:
		return errors.New("the host has rebooted in the meantime")
	case e.values["profile"] != "" && e.values["profile"] == e.values["current"]:
		// The commit forgets its unit only after a good end; it is the answer
		// that got lost.
		return nil
	default:
		return errors.New("the unit vanished from the host")
	}
	e.status = -1
	if e.values["code"] == "1" { // CLD_EXITED of waitid(2)
		if _, err := fmt.Sscanf(e.values["status"], "%d", &e.status); err != nil {
			e.status = -1
		}
	}
	return nil
}

// clean forgets the unit. What goes wrong is of no consequence: an ended unit
// does no harm, and is gone with the next boot.
func (u *unit) clean(ctx context.Context) {
	_, _ = u.conn.Run(ctx, u.root.script(unitScript, "clean", u.name, "-"))
}

// script is the command that runs a script as root. As in sshpool.Cmd, the
// braces make the shell read all of it before it runs any.
func (r Root) script(text string, args ...string) sshpool.Cmd {
	if r != RootSudo {
		return sshpool.Cmd{Script: text, Argv: args}
	}
	return sshpool.Cmd{
		Argv:  append([]string{"sudo", "-n", "sh", "-s", "--"}, args...),
		Stdin: strings.NewReader("{ :; " + text + "\n}\n"),
	}
}

// lostError says that an activation goes on, or ended, out of sight.
type lostError struct {
	unit string
	err  error
}

func (e *lostError) Error() string {
	return fmt.Sprintf("the host could not be reached again within %s: %v", reattachFor, e.err)
}
func (e *lostError) Unwrap() error { return e.err }
func (e *lostError) Hint() string {
	return fmt.Sprintf("the activation goes on there; see `journalctl -u %s` on the host. Its boot entry is still the old system", e.unit)
}
