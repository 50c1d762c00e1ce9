package lab

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// group is a control group of the lab's: the processes of one machine, and
// nobody else's. It exists in the hierarchies that systemd tracks processes
// with, or containers would share their services' groups, whether this machine
// has cgroups(7) version 2, version 1 or both.
type group struct {
	// dirs are its directories; the first decides who is a member.
	dirs []string
}

func findGroup(name string) (group, error) {
	table, err := mountTable()
	if err != nil {
		return group{}, err
	}
	dirs := trackingHierarchies(table)
	if len(dirs) == 0 {
		return group{}, &Error{Op: "find control groups", Err: errors.New("neither cgroup2 nor the systemd hierarchy is mounted"),
			Fix: "mount -t cgroup2 none /sys/fs/cgroup"}
	}
	for i := range dirs {
		dirs[i] = filepath.Join(dirs[i], name)
	}
	return group{dirs}, nil
}

func trackingHierarchies(table []mount) []string {
	var v2, v1 []string
	for _, m := range table {
		switch {
		case m.fsType == "cgroup2":
			v2 = append(v2, m.point)
		case m.fsType == "cgroup" && slices.Contains(strings.Split(m.superOptions, ","), "name=systemd"):
			v1 = append(v1, m.point)
		}
	}
	// Of several mounts of a hierarchy one will do.
	return slices.Concat(v2[:min(1, len(v2))], v1[:min(1, len(v1))])
}

// join makes a shell a member of the groups before it becomes the program; of
// these two, detach sends the program's output to a file as well. It does so
// after joining, for its starter waits until the output it was given is closed,
// and may then count on the membership. It starts the program again when that
// asks for it, as a service manager would: a container that was not registered
// as a unit reboots that way (systemd-nspawn(1), exit status 133).
const (
	join   = `while [ "$1" != -- ]; do echo $$ >"$1" || exit 125; shift; done; shift; exec "$@"`
	detach = `while [ "$1" != -- ]; do echo $$ >"$1" || exit 125; shift; done; shift
log=$1; shift; exec </dev/null >>"$log" 2>&1; while "$@"; [ $? -eq 133 ]; do :; done`
)

func (g group) command(script string, argv ...string) ([]string, error) {
	args := []string{"sh", "-c", script, "sh"}
	for _, dir := range g.dirs {
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		args = append(args, filepath.Join(dir, "cgroup.procs"))
	}
	return append(append(args, "--"), argv...), nil
}

// run runs a program in the group and waits for it. Whatever it leaves behind
// stays in the group.
func (g group) run(ctx context.Context, c proc.Cmd) (proc.Result, error) {
	argv, err := g.command(join, c.Argv...)
	if err != nil {
		return proc.Result{Code: -1}, err
	}
	c.Argv = argv
	return tool(ctx, c)
}

// start starts a program in the group that outlives this process, in a session
// of its own, with its output appended to the file log.
func (g group) start(ctx context.Context, log string, argv ...string) error {
	args, err := g.command(detach, append([]string{log}, argv...)...)
	if err != nil {
		return err
	}
	return run(ctx, append([]string{"setsid", "--fork"}, args...)...)
}

// members lists the processes in the group and below it.
func (g group) members() ([]int, error) {
	var pids []int
	err := filepath.WalkDir(g.dirs[0], func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV) {
			return nil // removed in between
		}
		for field := range strings.FieldsSeq(string(data)) {
			if pid, convErr := strconv.Atoi(field); convErr == nil && pid > 0 {
				pids = append(pids, pid)
			}
		}
		return err
	})
	return pids, err
}

// kill ends every member at once, waits until none is left and removes the
// group. It is no error if there is none.
func (g group) kill(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 20*time.Second, errors.New("processes do not die"))
	defer cancel()
	for {
		pids, err := g.members()
		if err != nil {
			return err
		}
		if len(pids) == 0 {
			break
		}
		// Not all kernels have it (Linux 5.14), nor has version 1.
		if os.WriteFile(filepath.Join(g.dirs[0], "cgroup.kill"), []byte("1"), 0) != nil {
			for _, pid := range pids {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		if err := pause(ctx, pollInterval); err != nil {
			return err
		}
	}
	for {
		err := g.remove()
		if !errors.Is(err, syscall.EBUSY) {
			return err
		}
		// The last member is dead but not yet forgotten.
		if err := pause(ctx, pollInterval); err != nil {
			return err
		}
	}
}

func (g group) remove() error {
	for _, top := range g.dirs {
		var dirs []string
		err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return err
		})
		if err != nil {
			return err
		}
		slices.Reverse(dirs)
		for _, dir := range dirs {
			if err := syscall.Rmdir(dir); err != nil && !errors.Is(err, syscall.ENOENT) {
				return err
			}
		}
	}
	return nil
}

// leader returns the member that is process 1 of a container, or 0.
func (g group) leader() (int, error) { return g.find(1) }

// find returns the member with a number in a container's PID namespace, or 0.
func (g group) find(inner int) (int, error) {
	pids, err := g.members()
	if err != nil {
		return 0, err
	}
	for _, pid := range pids {
		if innerPID(pid) == inner {
			return pid, nil
		}
	}
	return 0, nil
}

// innerPID is a process's number one PID namespace below this one, or 0
// (proc_pid_status(5), NSpid).
func innerPID(pid int) int {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "NSpid:"); ok {
			numbers := strings.Fields(rest)
			if len(numbers) != 2 {
				return 0
			}
			n, _ := strconv.Atoi(numbers[1])
			return n
		}
	}
	return 0
}
