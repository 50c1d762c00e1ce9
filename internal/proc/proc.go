// Package proc runs child processes; it is the only caller of os/exec in
// Flotilla.
//
// Every child gets a process group of its own, so that a terminal's Ctrl-C
// reaches Flotilla and not its children, and so that cancelling a child also
// cancels what it started. Cancelling means: interrupt the group, wait for the
// grace period, then kill the group.
package proc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// DefaultGrace is how long an interrupted child may take to end before its
// process group is killed.
const DefaultGrace = 5 * time.Second

// lowestPriority is the nicest value of setpriority(2).
const lowestPriority = 19

// Cmd describes one child process. The zero value of every field but Argv is
// useful. A Cmd is a value: running it does not change it, and it may be run
// several times, also concurrently if its readers and writers allow that.
type Cmd struct {
	// Argv is the program and its arguments. A program without a slash is
	// looked up in the PATH of this process.
	Argv []string
	// Name is what the child is called in traces, of few different words; empty means
	// its program's name.
	Name string
	// Dir is the working directory; empty means that of this process.
	Dir string
	// Env is the whole environment, as built by Environ; nil means that of
	// this process.
	Env []string
	// Stdin is the child's standard input; nil means /dev/null. A reader that
	// is not an *os.File and blocks after the child's end holds Run up for the
	// grace period.
	Stdin io.Reader
	// Stdout and Stderr receive every line as it arrives, without its line
	// end; nil means nobody looks. They are called from different goroutines,
	// but never after Run has returned. What is given to a callback is also
	// kept in the Result.
	Stdout, Stderr func(line string)
	// DiscardStdout and DiscardStderr keep a stream out of the Result, for
	// children that print much and whose lines the callback has dealt with.
	DiscardStdout, DiscardStderr bool
	// Inherit connects the child to this process's own standard streams and
	// leaves it in this process's group, for interactive children. Stdin,
	// Stdout and Stderr are then ignored and the Result keeps no output.
	Inherit bool
	// Started is called when the child has started; nil means nobody looks.
	Started func(*Process)
	// Background gives the child the lowest priority for processor time, for work
	// that must not slow down anything else. Where that cannot be set it runs all
	// the same.
	Background bool
	// WatchOpens has the Result say which files the child opened. Neither the child nor its
	// descendants can then get more rights than they have by running a program (setuid), and what goes
	// on after this process has ended cannot open files any more (ENOSYS).
	WatchOpens bool
	// Grace is the time between interrupt and kill; 0 means DefaultGrace.
	Grace time.Duration
}

// Result is what is known of a child that ended. Times and sizes come from the
// kernel's accounting of the child and the descendants it waited for
// (getrusage(2), wait4(2)).
type Result struct {
	// Code is the exit code, or -1 if the child was ended by a signal or
	// never started.
	Code int
	// Stdout and Stderr are all the child printed; Stderr is never cut.
	Stdout, Stderr []byte
	// Duration is the wall time from start to end.
	Duration time.Duration
	// UserTime and SystemTime are processor time.
	UserTime, SystemTime time.Duration
	// MaxRSS is the largest resident set of a single process, in bytes. Linux
	// carries the resident set of this process over into the child (it shares
	// our memory until execve(2)), so a child that stays smaller than we are
	// shows our size: a figure near our own is an upper bound.
	MaxRSS int64
	// Opens are the absolute paths that the child itself opened or tried to, in order, without
	// directories and what it only wrote, as far as the call says so; nothing was lost if OpensKnown. They are asked for by
	// WatchOpens, and known where Linux tells (seccomp_unotify(2); since 5.9, on amd64 and arm64).
	Opens      []string
	OpensKnown bool
}

// Error says that a child did not do its work: it could not be started, was
// cancelled, was ended by a signal, or exited with a code other than 0.
type Error struct {
	// Argv is the command as it was run.
	Argv []string
	// Code is the exit code, or -1 if there is none.
	Code int
	// Stderr is the child's whole standard error, with trailing white space
	// removed.
	Stderr string
	// Err is the cause: context.Cause of a cancelled context, an
	// *exec.Error or *fs.PathError of a program that could not be started, the
	// signal that ended it, or nil for a plain exit code.
	Err error
}

// Error names the program, what became of it and the last line it printed on
// standard error.
func (e *Error) Error() string {
	name := "command"
	if len(e.Argv) > 0 {
		name = e.Argv[0]
	}
	var what string
	switch {
	case e.Err != nil:
		what = e.Err.Error()
	default:
		what = fmt.Sprintf("exit code %d", e.Code)
	}
	if last := LastLine(e.Stderr); last != "" {
		return fmt.Sprintf("%s: %s: %s", name, what, last)
	}
	return fmt.Sprintf("%s: %s", name, what)
}

// Unwrap returns the cause, if there is one.
func (e *Error) Unwrap() error { return e.Err }

// NotFound reports whether the program itself was missing. A missing working
// directory does not count.
func (e *Error) NotFound() bool {
	if errors.Is(e.Err, errWorkingDir) {
		return false
	}
	return errors.Is(e.Err, exec.ErrNotFound) || errors.Is(e.Err, fs.ErrNotExist)
}

var errWorkingDir = errors.New("working directory")

// LastLine returns the last line of text that is not blank, trimmed.
func LastLine(text string) string {
	text = strings.TrimSpace(text)
	if i := strings.LastIndexByte(text, '\n'); i >= 0 {
		text = text[i+1:]
	}
	return strings.TrimSpace(text)
}

// Environ returns this process's environment with the given NAME=VALUE
// settings in place of what was there. A setting that ends in "=" sets the
// variable to the empty string.
func Environ(settings ...string) []string {
	names := make(map[string]bool, len(settings))
	for _, s := range settings {
		name, _, _ := strings.Cut(s, "=")
		names[name] = true
	}
	var env []string
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); !names[name] {
			env = append(env, kv)
		}
	}
	return append(env, settings...)
}

// LookPath finds a program in this process's PATH. The error satisfies
// errors.Is(err, exec.ErrNotFound) or names why the file cannot be run.
func LookPath(name string) (string, error) { return exec.LookPath(name) }

// Run starts the child and waits for its end. The Result is filled as far as
// it is known also when there is an error, and every error is an *Error. A
// context that is cancelled before the start starts nothing.
//
// Run waits until the child's standard output and error are closed, but no
// longer than the grace period after the child itself has ended: a daemon that
// the child left behind cannot hold it up.
//
// If ctx has an OpenTelemetry span that is recorded, the child has one within it.
func Run(ctx context.Context, c Cmd) (res Result, err error) {
	if len(c.Argv) == 0 {
		return Result{Code: -1}, &Error{Code: -1, Err: errors.New("empty command")}
	}
	if ctx.Err() != nil {
		return Result{Code: -1}, &Error{Argv: c.Argv, Code: -1, Err: context.Cause(ctx)}
	}
	grace := c.Grace
	if grace <= 0 {
		grace = DefaultGrace
	}
	cmd := exec.Command(c.Argv[0], c.Argv[1:]...)
	cmd.Dir, cmd.Env = c.Dir, c.Env
	cmd.WaitDelay = grace

	var out, errOut lineWriter
	if c.Inherit {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	} else {
		out = lineWriter{each: c.Stdout, discard: c.DiscardStdout}
		errOut = lineWriter{each: c.Stderr, discard: c.DiscardStderr}
		cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Stdin, &out, &errOut
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	}

	traced := begin(ctx, c)
	defer func() { traced.end(ctx, res, err) }()
	started := time.Now()
	start := func(cmd *exec.Cmd) (*opens, error) { return nil, cmd.Start() }
	if c.WatchOpens {
		start = startWatched
	}
	watched, err := start(cmd)
	if err != nil {
		return Result{Code: -1}, &Error{Argv: c.Argv, Code: -1, Err: startFailure(c.Dir, err)}
	}
	traced.started(cmd.Process.Pid)
	stop := endOnCancel(ctx, cmd.Process.Pid, !c.Inherit, grace)
	if c.Background {
		_ = syscall.Setpriority(syscall.PRIO_PROCESS, cmd.Process.Pid, lowestPriority)
	}
	if c.Started != nil {
		child := &Process{pid: cmd.Process.Pid}
		c.Started(child)
		child.end()
	}
	err = cmd.Wait()
	stop()
	out.flush()
	errOut.flush()

	res = Result{
		Code:     cmd.ProcessState.ExitCode(),
		Stdout:   out.all.Bytes(),
		Stderr:   errOut.all.Bytes(),
		Duration: time.Since(started),
	}
	res.UserTime, res.SystemTime = cmd.ProcessState.UserTime(), cmd.ProcessState.SystemTime()
	if ru, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		res.MaxRSS = ru.Maxrss * 1024
	}
	res.Opens, res.OpensKnown = watched.end()
	return res, failure(ctx, c.Argv, res, cmd.ProcessState, err)
}

// startFailure names the working directory where that is at fault: execve(2)
// and chdir(2) fail with the same error, and os/exec blames the program.
func startFailure(dir string, err error) error {
	if dir == "" {
		return err
	}
	info, statErr := os.Stat(dir)
	switch {
	case statErr != nil:
		return fmt.Errorf("%w: %w", errWorkingDir, statErr)
	case !info.IsDir():
		return fmt.Errorf("%w: %s is not a directory", errWorkingDir, dir)
	}
	return err
}

// failure turns the end of a child into Run's error. A child that ended well
// in spite of a cancelled context has done its work.
func failure(ctx context.Context, argv []string, res Result, state *os.ProcessState, err error) error {
	if err == nil || (errors.Is(err, exec.ErrWaitDelay) && state.Success()) {
		return nil
	}
	e := &Error{Argv: argv, Code: res.Code, Stderr: strings.TrimSpace(string(res.Stderr))}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		e.Err = context.Cause(ctx)
	case errors.As(err, &exit):
		if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			e.Err = fmt.Errorf("ended by signal %s", ws.Signal())
		}
	default:
		e.Err = err
	}
	return e
}

// endOnCancel interrupts, then kills, the child once ctx is cancelled. It
// interrupts several times, since Nix misses one now and then (seen with 2.34,
// right after a builder's output). A group
// is killed also when its leader obeyed, since the rest of it may not have. The
// function it returns ends the watch and waits for it to be over.
func endOnCancel(ctx context.Context, pid int, group bool, grace time.Duration) (stop func()) {
	if group {
		pid = -pid
	}
	done, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		select {
		case <-done:
			return
		case <-ctx.Done():
		}
		kill := time.NewTimer(grace)
		defer kill.Stop()
		again := time.NewTicker(max(grace/5, time.Millisecond))
		defer again.Stop()
		for waiting := true; waiting; {
			_ = syscall.Kill(pid, syscall.SIGINT)
			select {
			case <-again.C:
			case <-kill.C:
				waiting = false
			case <-done:
				if !group {
					return
				}
				waiting = false
			}
		}
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}()
	return func() { close(done); <-over }
}

// lineWriter keeps what is written and hands complete lines on. Its lock is
// for the case of Run returning while a left-behind daemon still writes.
type lineWriter struct {
	each    func(string)
	discard bool

	mu   sync.Mutex
	all  bytes.Buffer
	part []byte
	shut bool
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.shut {
		return len(p), nil
	}
	if !w.discard {
		w.all.Write(p)
	}
	if w.each == nil {
		return len(p), nil
	}
	for rest := p; ; {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			w.part = append(w.part, rest...)
			return len(p), nil
		}
		w.emit(rest[:i])
		rest = rest[i+1:]
	}
}

// emit hands on the line that tail completes. Only new bytes are searched and
// copied, so that a line of any length costs time in proportion to it.
func (w *lineWriter) emit(tail []byte) {
	w.part = append(w.part, tail...)
	w.each(strings.TrimSuffix(string(w.part), "\r"))
	w.part = w.part[:0]
}

func (w *lineWriter) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shut = true
	if w.each != nil && len(w.part) > 0 {
		w.emit(nil)
	}
}
