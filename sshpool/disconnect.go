package sshpool

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
)

// Disconnected says what became of a host's master.
type Disconnected int

const (
	// NotConnected: there was none.
	NotConnected Disconnected = iota
	// Ended: it has ended.
	Ended
	// Draining: it takes no more sessions, and ends with the last of those it
	// has, which may be another program's.
	Draining
)

// Disconnect ends the master that is kept for a target, whoever started it and
// whatever Config.Persist says. Sessions over it are not cut off. The next Connect,
// or Run of an open Conn, makes a new connection.
//
// A master that was started with another Config.ConfigFile, HostKeys or Program,
// or for a Target that differs in anything, is another one. Errors are *Error.
func (p *Pool) Disconnect(ctx context.Context, t Target) (Disconnected, error) {
	if err := t.Validate(); err != nil {
		return NotConnected, err
	}
	pid, err := stop(ctx, filepath.Join(p.config.Dir, p.key(t)))
	if err != nil {
		return NotConnected, stuck(t, err)
	}
	return awaited(ctx, pid), nil
}

// DisconnectAll ends every master in Config.Dir as Disconnect does: also those of
// other programs, of hosts that no program knows any more, and of jump hosts. It
// returns how many have Ended, and how many are Draining. What a killed master has
// left there is removed.
func (p *Pool) DisconnectAll(ctx context.Context) (ended, draining int, err error) {
	entries, err := os.ReadDir(p.config.Dir)
	if err != nil {
		return 0, 0, stuck(Target{}, err)
	}
	var pids []int
	var errs []error
	for _, e := range entries {
		if e.Type() != fs.ModeSocket || len(e.Name()) != socketNameLen {
			continue
		}
		pid, err := stop(ctx, filepath.Join(p.config.Dir, e.Name()))
		switch {
		case err != nil:
			errs = append(errs, stuck(Target{}, err))
		case pid != 0:
			pids = append(pids, pid)
		}
	}
	// All are told before any is waited for, since some go through others.
	for _, pid := range pids {
		if awaited(ctx, pid) == Ended {
			ended++
		} else {
			draining++
		}
	}
	return ended, draining, errors.Join(errs...)
}

// stop makes the master at a socket take no more sessions. It returns its process,
// or 0 if there was none; then the socket is removed, if it is there.
func stop(ctx context.Context, sock string) (pid int, err error) {
	m, err := muxDial(ctx, sock)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, nil
	case errors.Is(err, syscall.ECONNREFUSED):
		return 0, removeDead(ctx, sock)
	case err != nil:
		return 0, fmt.Errorf("the ssh master at %s does not answer: %w", sock, err)
	}
	defer m.close()
	if pid, err = m.alive(); err == nil {
		err = m.stop()
	}
	if err != nil {
		return 0, fmt.Errorf("the ssh master at %s does not answer: %w", sock, err)
	}
	return pid, nil
}

// removeDead removes a socket that nobody listens at, unless it is being replaced.
func removeDead(ctx context.Context, sock string) error {
	limited, cancel := context.WithTimeout(ctx, muxTimeout)
	defer cancel()
	unlock, err := lockFile(limited, sock+".lock")
	if err != nil {
		return nil
	}
	defer unlock()
	if _, err := muxPID(ctx, sock); errors.Is(err, syscall.ECONNREFUSED) {
		return os.Remove(sock)
	}
	return nil
}

// awaited waits a moment for a master that was stopped to end.
func awaited(ctx context.Context, pid int) Disconnected {
	if pid == 0 {
		return NotConnected
	}
	ctx, cancel := context.WithTimeout(ctx, muxTimeout)
	defer cancel()
	for running(pid) {
		if !sleep(ctx, 5*time.Millisecond) {
			return Draining
		}
	}
	return Ended
}

// running reports whether a process has not ended; one that its parent has not
// collected yet has (proc(5), state Z).
func running(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, after, _ := cutLast(string(stat), ") ")
	return !strings.HasPrefix(after, "Z") && !strings.HasPrefix(after, "X")
}

func stuck(t Target, err error) error {
	return &Error{Target: t, Kind: KindUnknown, ExitCode: -1, NotStarted: true, Err: err,
		Hint: "end the ssh process that has the socket open by hand, with `kill`; the next connection is a new one in any case"}
}
