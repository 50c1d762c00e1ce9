package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// ErrOff is what errors of commands for a machine without power satisfy.
var ErrOff = errors.New("the machine is off")

// ExecOptions describes a command to run as root in a machine.
type ExecOptions struct {
	// Host is the machine; empty means Control. Compat ignores it.
	Host string
	// Argv is the program, looked up in the machine's PATH, and its arguments.
	Argv []string
	// Dir is the working directory; empty means FleetDir in Control and in
	// Compat, /root elsewhere.
	Dir string
	// Env holds NAME=VALUE settings besides PATH, HOME, TERM and LANG, which
	// they may replace. Nothing else of this process's environment is seen.
	Env []string
	// Stdin is the standard input; nil means /dev/null.
	Stdin io.Reader
	// Stdout and Stderr receive each line as it arrives, from different
	// goroutines; nil means nobody looks. The Result has it all anyway.
	Stdout, Stderr func(line string)
	// Interactive connects the command to this process's own standard
	// streams instead, so that it may use the terminal.
	Interactive bool
}

// Exec runs a command in a machine, directly and not through its network or
// sshd, and waits for its end. Cancelling ctx interrupts it, and kills it after
// a grace period.
//
// A command that ends with an exit code other than 0 gives a *proc.Error; a
// machine that is off gives an error that satisfies errors.Is(err, ErrOff).
func (l *Lab) Exec(ctx context.Context, o ExecOptions) (proc.Result, error) {
	machine := o.Host
	if machine == "" {
		machine = Control
	}
	if err := checkMachine("exec", machine); err != nil {
		return proc.Result{Code: -1}, err
	}
	if machine == Control {
		if err := l.placeFlotilla(l.path.machine(Control, "root")); err != nil {
			return proc.Result{Code: -1}, fail("place flotilla", Control, err)
		}
	}
	return l.exec(ctx, machine, o)
}

func (l *Lab) exec(ctx context.Context, machine string, o ExecOptions) (proc.Result, error) {
	none := proc.Result{Code: -1}
	if len(o.Argv) == 0 {
		return none, &Error{Op: "exec", Machine: machine, Err: errors.New("empty command")}
	}
	pid, err := l.leader(machine)
	if err != nil {
		return none, fail("exec", machine, err)
	}
	if pid == 0 {
		return none, &Error{Op: "exec", Machine: machine, Err: ErrOff, Fix: "power it on"}
	}
	dir := o.Dir
	if dir == "" {
		dir = "/root"
		if machine == Control || machine == compat {
			dir = FleetDir
		}
	}
	c := proc.Cmd{
		Argv:  enter(pid, dir, o.Argv),
		Env:   execEnv(o.Env),
		Stdin: o.Stdin, Stdout: o.Stdout, Stderr: o.Stderr,
		Inherit: o.Interactive,
	}
	res, err := proc.Run(ctx, c)
	var failed *proc.Error
	if errors.As(err, &failed) {
		failed.Argv = o.Argv // how it got there is of no interest
	}
	return res, err
}

// enterScript waits for the command from outside the machine's PID namespace,
// into which only its children are born. nsenter(1) could wait as well, but
// stops itself when the machine stops all its processes, as it does in order to
// shut down, and then the machine waits for it for ever. It is deaf to the
// interrupt that the whole process group gets, or it would be gone before the
// command had its say; for the command itself env(1) puts that right again.
const enterScript = `trap "" INT; /usr/bin/env --default-signal=INT /bin/sh -c "$@"; exit $?`

// chdirScript rather than env --chdir, since env takes a program's name with an
// equals sign in it for a setting.
const chdirScript = `cd -- "$1" && shift && exec "$@"`

func enter(pid int, dir string, argv []string) []string {
	return append([]string{
		"nsenter", "--target", strconv.Itoa(pid), "--mount", "--uts", "--ipc", "--net", "--pid", "--no-fork", "--",
		"/bin/sh", "-c", enterScript, "sh", chdirScript, "sh", dir,
	}, argv...)
}

func execEnv(settings []string) []string {
	term := os.Getenv("TERM")
	if term == "" {
		term = "dumb"
	}
	return append([]string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/root", "LANG=C.UTF-8", fmt.Sprintf("TERM=%s", term),
	}, settings...)
}
