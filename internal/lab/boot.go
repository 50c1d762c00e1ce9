package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// bootTimeout is many times what a boot takes on a busy machine.
const bootTimeout = 2 * time.Minute

// leader returns process 1 of a machine, as numbered here, or 0 if it is off.
func (l *Lab) leader(machine string) (int, error) {
	g, err := findGroup(l.path.name(machine))
	if err != nil {
		return 0, err
	}
	return g.leader()
}

// boot switches a machine on, if it is off, and does not wait for it.
func (l *Lab) boot(ctx context.Context, machine, image string, f faults) error {
	g, err := findGroup(l.path.name(machine))
	if err != nil {
		return err
	}
	if pid, err := g.leader(); err != nil || pid != 0 {
		return err
	}
	if err := l.halt(ctx, machine); err != nil {
		return err
	}
	if err := l.mountMachine(ctx, machine, image); err != nil {
		return err
	}
	if err := l.writeFiles(machine); err != nil {
		return err
	}
	if err := l.plugIn(ctx, machine); err != nil {
		return err
	}
	if err := l.applyFaults(ctx, machine, f); err != nil {
		return err
	}
	return g.start(ctx, l.path.machine(machine, "console.log"), l.container(machine, "--boot",
		"--network-namespace-path="+netnsPath(l.path.name(machine)),
		// As systemd-nspawn gives a machine whose private network it made.
		"--capability=CAP_NET_ADMIN")...)
}

// container is the command line of a machine's container. --register=no and
// --keep-unit do without a service manager on this machine (systemd-nspawn(1)).
func (l *Lab) container(machine string, options ...string) []string {
	return append(nspawn(l.path.machine(machine, "root"), l.path.name(machine)),
		append([]string{"--hostname=" + machine}, options...)...)
}

func nspawn(root, name string) []string {
	return []string{"systemd-nspawn", "--quiet", "--settings=no", "--register=no", "--keep-unit",
		"--resolv-conf=off", "--timezone=off", "--link-journal=no",
		"--directory=" + root, "--machine=" + name}
}

// halt pulls a machine's plug and removes what a container leaves behind. The
// cable goes first: a machine without power says no good-bye to its peers.
func (l *Lab) halt(ctx context.Context, machine string) error {
	if err := l.stopRelay(ctx, machine); err != nil {
		return err
	}
	if err := l.unplugCable(ctx, machine); err != nil {
		return err
	}
	if err := l.killContainer(ctx, machine); err != nil {
		return err
	}
	return l.unplug(ctx, machine)
}

func (l *Lab) unplugCable(ctx context.Context, machine string) error {
	if !netnsExists(l.path.network()) || !l.hasPort(ctx, machine) {
		return nil
	}
	return l.setLink(ctx, machine, false)
}

func (l *Lab) killContainer(ctx context.Context, machine string) error {
	g, err := findGroup(l.path.name(machine))
	if err != nil {
		return err
	}
	if err := g.kill(ctx); err != nil {
		return err
	}
	return cleanNspawn(l.path.machine(machine, "root"), l.path.name(machine))
}

// cleanNspawn removes what a killed systemd-nspawn leaves in /run: a directory
// for mounts and one for sockets, and the lock of its root directory, which is
// named after the directory's device and inode.
func cleanNspawn(root, name string) error {
	const run = "/run/systemd/nspawn"
	for _, dir := range []string{filepath.Join(run, "propagate", name), filepath.Join(run, "unix-export", name)} {
		if err := unmountBelow(dir); err != nil {
			return err
		}
		if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	info, err := os.Stat(root)
	if err != nil {
		return nil // no directory, no lock
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		err = os.Remove(filepath.Join(run, "locks", fmt.Sprintf("inode-%d:%d", st.Dev, st.Ino)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// awaitBoot waits until a machine's start-up is over and its sshd answers.
func (l *Lab) awaitBoot(ctx context.Context, machine string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, bootTimeout, fmt.Errorf("not up after %s", bootTimeout))
	defer cancel()
	g, err := findGroup(l.path.name(machine))
	if err != nil {
		return err
	}
	for {
		pids, err := g.members()
		if err != nil {
			return err
		}
		if len(pids) == 0 {
			return &Error{Op: "boot", Machine: machine, Err: errors.New("it went off again: " + l.lastWords(machine)),
				Fix: "see " + l.path.machine(machine, "console.log")}
		}
		if settled(l.systemState(ctx, machine, "--wait")) && probeSSH(netnsPath(l.path.name(machine))) == nil {
			return nil
		}
		if err := pause(ctx, 5*pollInterval); err != nil {
			return &Error{Op: "boot", Machine: machine, Err: err, Fix: "see " + l.path.machine(machine, "console.log")}
		}
	}
}

// systemState is what systemctl(1) is-system-running says, or "" if nothing.
func (l *Lab) systemState(ctx context.Context, machine string, options ...string) string {
	// It exits with an error for every state but running.
	res, _ := l.exec(ctx, machine, ExecOptions{
		Dir:  "/",
		Argv: append([]string{"systemctl", "is-system-running"}, options...),
	})
	return strings.TrimSpace(string(res.Stdout))
}

// settled is true once no job is left: degraded is running with failed units.
func settled(state string) bool { return state == "running" || state == "degraded" }

func (l *Lab) lastWords(machine string) string {
	data, err := os.ReadFile(l.path.machine(machine, "console.log"))
	if err != nil {
		return err.Error()
	}
	return proc.LastLine(string(data))
}

// uptime is the time since a process started.
func uptime(pid int) (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	started, err := startTicks(string(data))
	if err != nil {
		return 0, err
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return 0, err
	}
	// USER_HZ is 100 on every architecture that Nix supports.
	return time.Duration(now.Nano()) - time.Duration(started)*(time.Second/100), nil
}
