package proc_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// never is a grace period that no test lives to see: a test that passes with it
// did not need the kill.
const never = time.Hour

// soon is a grace period that is known to run out because the child holds out
// for ever.
const soon = 20 * time.Millisecond

// TestMain makes the test binary its own child: with FLOTILLA_PROC_CHILD set it
// plays that part instead of running tests.
func TestMain(m *testing.M) {
	if part := os.Getenv("FLOTILLA_PROC_CHILD"); part != "" {
		os.Exit(child(part))
	}
	os.Exit(m.Run())
}

// A running child's memory and what it has written can be seen, and what it had
// written still is after its end.
func TestStarted(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has /proc")
	}
	in, goOn := io.Pipe()
	started := make(chan *proc.Process, 1)
	var p *proc.Process
	res, err := proc.Run(t.Context(), proc.Cmd{
		Argv:    []string{"sh", "-c", `printf "%100000d\n" 1; read line; printf "%50000d\n" 1`},
		Stdin:   in,
		Started: func(p *proc.Process) { started <- p },
		Stdout: func(line string) {
			if len(line) == 100000 {
				if p = <-started; p.Memory() == 0 || p.Written() < 100001 {
					t.Errorf("it has %d bytes of memory and wrote %d", p.Memory(), p.Written())
				}
				goOn.Close()
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Written(); got < 150002 || got > 160000 || len(res.Stdout) != 150002 {
		t.Errorf("it wrote %d bytes, of which %d arrived", got, len(res.Stdout))
	}
	if p.Memory() != 0 {
		t.Error("it has memory after its end")
	}
}

// child is what the re-executed test binary does.
func child(part string) int {
	switch part {
	case "polite": // ends with code 7 when interrupted
		interrupted := make(chan os.Signal, 1)
		signal.Notify(interrupted, os.Interrupt)
		fmt.Println("ready")
		<-interrupted
		fmt.Fprintln(os.Stderr, "interrupted, tidying up")
		return 7
	case "finish": // ends well although interrupted
		interrupted := make(chan os.Signal, 1)
		signal.Notify(interrupted, os.Interrupt)
		fmt.Println("ready")
		<-interrupted
		return 0
	case "stubborn": // ends only by a kill
		signal.Ignore(os.Interrupt, syscall.SIGTERM)
		fmt.Println("ready")
		for {
			_ = syscall.Pause()
		}
	case "burn": // uses memory and processor time
		block := make([]byte, 64<<20)
		for i := 0; i < len(block); i += 512 {
			block[i] = 1
		}
		for !usedProcessorTime() {
		}
		fmt.Println(block[512])
		return 0
	case "groups":
		fmt.Println(os.Getpid(), syscall.Getpgrp())
		return 0
	case "longline":
		w := bufio.NewWriterSize(os.Stdout, 1<<16)
		for range longLine / 64 {
			fmt.Fprint(w, strings.Repeat("x", 64))
		}
		fmt.Fprint(w, "\nend")
		if w.Flush() != nil {
			return 1
		}
		return 0
	}
	fmt.Fprintln(os.Stderr, "no such part:", part)
	return 99
}

// usedProcessorTime reports whether the kernel has accounted any to this process.
func usedProcessorTime() bool {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return true
	}
	return usage.Utime.Nano()+usage.Stime.Nano() > 0
}

// longLine is the length in bytes of the line that the "longline" child prints.
const longLine = 16 << 20

// raceExit spares each child the second that the race detector sleeps at exit.
const raceExit = "GORACE=atexit_sleep_ms=0"

// as is a command that plays the given part.
func as(t *testing.T, part string) proc.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return proc.Cmd{Argv: []string{self}, Env: proc.Environ("FLOTILLA_PROC_CHILD="+part, raceExit)}
}

// shell is a command that runs text in /bin/sh with the arguments $1, $2, ….
func shell(text string, args ...string) proc.Cmd {
	return proc.Cmd{Argv: append([]string{"/bin/sh", "-c", text, "sh"}, args...)}
}

// asError is the *proc.Error that every failure of Run must be.
func asError(t *testing.T, err error) *proc.Error {
	t.Helper()
	var e *proc.Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v of type %T, want a *proc.Error", err, err)
	}
	return e
}

func TestSuccessGivesAllThatIsKnown(t *testing.T) {
	res, err := proc.Run(t.Context(), shell(`printf 'a\nb'; printf 'c\n' >&2`))
	if err != nil {
		t.Fatal(err)
	}
	if string(res.Stdout) != "a\nb" || string(res.Stderr) != "c\n" || res.Code != 0 {
		t.Errorf("got %d %q %q", res.Code, res.Stdout, res.Stderr)
	}
	if res.Duration <= 0 {
		t.Errorf("duration %v is not positive", res.Duration)
	}
}

func TestExitCodeAndStderr(t *testing.T) {
	c := shell(`echo out; echo first >&2; echo '  last  ' >&2; echo >&2; exit 3`)
	res, err := proc.Run(t.Context(), c)
	e := asError(t, err)
	if res.Code != 3 || e.Code != 3 || e.Err != nil {
		t.Errorf("got codes %d and %d, cause %v; want 3, 3, none", res.Code, e.Code, e.Err)
	}
	if string(res.Stdout) != "out\n" {
		t.Errorf("a failed child's output was lost: %q", res.Stdout)
	}
	if e.Stderr != "first\n  last" {
		t.Errorf("got stderr %q", e.Stderr)
	}
	if want := "/bin/sh: exit code 3: last"; e.Error() != want {
		t.Errorf("got %q, want %q", e, want)
	}
	if !slices.Equal(e.Argv, c.Argv) {
		t.Errorf("got argv %q", e.Argv)
	}
}

func TestStderrIsNeverCut(t *testing.T) {
	_, err := proc.Run(t.Context(), shell(`i=0
		while [ $i -lt 20000 ]; do echo "line $i of the log" >&2; i=$((i + 1)); done; exit 1`))
	e := asError(t, err)
	if n := strings.Count(e.Stderr, "\n") + 1; n != 20000 {
		t.Errorf("got %d lines of stderr, want 20000", n)
	}
}

func TestEndedBySignal(t *testing.T) {
	res, err := proc.Run(t.Context(), shell(`kill -TERM $$`))
	e := asError(t, err)
	if res.Code != -1 || e.Code != -1 || !strings.Contains(e.Error(), "terminated") {
		t.Errorf("got %d, %d, %v", res.Code, e.Code, e)
	}
}

func TestMissingProgram(t *testing.T) {
	for _, name := range []string{"flotilla-no-such-program", "/no/such/program"} {
		_, err := proc.Run(t.Context(), proc.Cmd{Argv: []string{name}})
		if e := asError(t, err); !e.NotFound() || e.Code != -1 {
			t.Errorf("%s: NotFound %v, code %d, error %v", name, e.NotFound(), e.Code, e)
		}
	}
	_, err := proc.LookPath("flotilla-no-such-program")
	if !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("LookPath: got %v", err)
	}
	if path, err := proc.LookPath("sh"); err != nil || !filepath.IsAbs(path) {
		t.Errorf("LookPath(sh): got %q, %v", path, err)
	}
}

// A missing directory was once reported as "fork/exec /bin/sh: no such file or
// directory", and callers went on to say that sh was not installed.
func TestMissingDirectoryIsNotAMissingProgram(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"/no/such/dir", file} {
		c := shell(`true`)
		c.Dir = dir
		_, err := proc.Run(t.Context(), c)
		e := asError(t, err)
		if e.NotFound() {
			t.Errorf("%s: taken for a missing program", dir)
		}
		if !strings.Contains(e.Error(), dir) {
			t.Errorf("the error does not name the directory %s: %v", dir, e)
		}
	}
}

func TestProgramThatMayNotRun(t *testing.T) {
	file := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := proc.Run(t.Context(), proc.Cmd{Argv: []string{file}})
	if e := asError(t, err); e.NotFound() || !errors.Is(e, fs.ErrPermission) {
		t.Errorf("got %v, want a permission error", e)
	}
}

func TestEmptyCommand(t *testing.T) {
	_, err := proc.Run(t.Context(), proc.Cmd{})
	if e := asError(t, err); e.Error() != "command: empty command" {
		t.Errorf("got %q", e)
	}
}

func TestCancelledBeforeStart(t *testing.T) {
	reason := errors.New("changed my mind")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(reason)
	mark := filepath.Join(t.TempDir(), "mark")
	_, err := proc.Run(ctx, shell(`: > "$1"`, mark))
	if e := asError(t, err); !errors.Is(e, reason) {
		t.Errorf("got %v, want the cause", e)
	}
	if _, err := os.Stat(mark); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the child was started (%v)", err)
	}
}

func TestCancelInterruptsFirst(t *testing.T) {
	reason := errors.New("user pressed Ctrl-C")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	c := as(t, "polite")
	c.Grace = never
	c.Stdout = func(string) { cancel(reason) }
	res, err := proc.Run(ctx, c)
	e := asError(t, err)
	if !errors.Is(e, reason) {
		t.Errorf("got %v, want the context's cause", e)
	}
	if res.Code != 7 || e.Stderr != "interrupted, tidying up" {
		t.Errorf("the child was not left to tidy up: code %d, stderr %q", res.Code, e.Stderr)
	}
}

func TestCancelledChildThatEndsWellHasDoneItsWork(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := as(t, "finish")
	c.Grace = never
	c.Stdout = func(string) { cancel() }
	if _, err := proc.Run(ctx, c); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestCancelKillsAfterGrace(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := as(t, "stubborn")
	c.Grace = soon
	c.Stdout = func(string) { cancel() }
	res, err := proc.Run(ctx, c)
	if e := asError(t, err); !errors.Is(e, context.Canceled) || res.Code != -1 {
		t.Errorf("got %v, code %d", e, res.Code)
	}
}

func TestDeadlineIsTheCause(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	c := as(t, "polite")
	c.Grace = soon
	_, err := proc.Run(ctx, c)
	if e := asError(t, err); !errors.Is(e, context.DeadlineExceeded) {
		t.Errorf("got %v", e)
	}
}

// tether is a named pipe that a process can be made to hold open. It tells by
// end of file when the last holder is gone, without a clock.
type tether struct {
	path string
	end  *os.File
}

// newTether makes a tether that is let go at the end of the test.
func newTether(t *testing.T) *tether {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tether")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	// Opening for reading and writing never blocks on Linux: fifo(7).
	end, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = end.Close() })
	return &tether{path, end}
}

// waitGone returns once no other process holds the tether for writing.
func (p *tether) waitGone(t *testing.T) {
	t.Helper()
	read, err := os.OpenFile(p.path, os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	if err := p.end.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := read.Read(make([]byte, 1)); err == nil {
		t.Error("the tether carried data")
	}
}

func TestCancelKillsGrandchildren(t *testing.T) {
	// Both shells ignore the interrupt; the grandchild says "ready" itself.
	const leader = `trap '' INT
		/bin/sh -c 'exec 3>"$1"; echo ready; while read x < "$2"; do :; done' sh "$1" "$2" &
		wait`
	// The leader obeys; the grandchild, in the background, does not.
	const obeys = `/bin/sh -c 'trap "" INT; exec 3>"$1" </dev/null; echo ready
		exec >/dev/null 2>&1; while read x < "$2"; do :; done' sh "$1" "$2" &
		trap 'exit 9' INT; wait`
	for name, text := range map[string]string{"leader stays": leader, "leader obeys": obeys} {
		t.Run(name, func(t *testing.T) {
			held, blocks := newTether(t), newTether(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c := shell(text, held.path, blocks.path)
			c.Grace = soon
			c.Stdout = func(string) { cancel() }
			_, err := proc.Run(ctx, c)
			if e := asError(t, err); !errors.Is(e, context.Canceled) {
				t.Errorf("got %v", e)
			}
			held.waitGone(t)
		})
	}
}

func TestChildHasItsOwnGroup(t *testing.T) {
	res, err := proc.Run(t.Context(), as(t, "groups"))
	if err != nil {
		t.Fatal(err)
	}
	pid, group, _ := strings.Cut(strings.TrimSpace(string(res.Stdout)), " ")
	if pid != group || group == strconv.Itoa(syscall.Getpgrp()) {
		t.Errorf("child %s is in group %s, this process in %d", pid, group, syscall.Getpgrp())
	}
}

func TestLeftBehindDaemonDoesNotHoldUp(t *testing.T) {
	for _, exit := range []string{"0", "4"} {
		t.Run("exit "+exit, func(t *testing.T) {
			release := newTether(t)
			c := shell(`/bin/cat "$1" >/dev/null & echo started; echo said >&2; exit "$2"`,
				release.path, exit)
			c.Grace = soon
			var calls atomic.Int32
			c.Stdout = func(string) { calls.Add(1) }
			res, err := proc.Run(t.Context(), c)
			if exit == "0" && err != nil {
				t.Errorf("a child that ended well is reported as %v", err)
			}
			if exit == "4" && asError(t, err).Code != 4 {
				t.Errorf("got %v", err)
			}
			if string(res.Stdout) != "started\n" || string(res.Stderr) != "said\n" || calls.Load() != 1 {
				t.Errorf("got %q, %q and %d lines", res.Stdout, res.Stderr, calls.Load())
			}
		})
	}
}

func TestLines(t *testing.T) {
	var out, errOut []string
	c := shell(`printf 'one\r\ntwo\n\n\rthree\r\r\nfo'; printf 'ur'; printf 'e1\ne2\r' >&2`)
	c.Stdout = func(line string) { out = append(out, line) }
	c.Stderr = func(line string) { errOut = append(errOut, line) }
	res, err := proc.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"one", "two", "", "\rthree\r", "four"}; !slices.Equal(out, want) {
		t.Errorf("got stdout lines %q, want %q", out, want)
	}
	if want := []string{"e1", "e2"}; !slices.Equal(errOut, want) {
		t.Errorf("got stderr lines %q, want %q", errOut, want)
	}
	if want := "one\r\ntwo\n\n\rthree\r\r\nfour"; string(res.Stdout) != want {
		t.Errorf("the result kept %q, want %q", res.Stdout, want)
	}
}

func TestNoOutputNoLines(t *testing.T) {
	c := shell(`:`)
	c.Stdout = func(line string) { t.Errorf("got line %q", line) }
	c.Stderr = c.Stdout
	if res, err := proc.Run(t.Context(), c); err != nil || len(res.Stdout)+len(res.Stderr) != 0 {
		t.Errorf("got %v, %q, %q", err, res.Stdout, res.Stderr)
	}
}

func TestHugeLineAndDiscard(t *testing.T) {
	var lengths []int
	c := as(t, "longline")
	c.DiscardStdout = true
	c.Stdout = func(line string) { lengths = append(lengths, len(line)) }
	res, err := proc.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if want := []int{longLine, 3}; !slices.Equal(lengths, want) {
		t.Errorf("got lines of %d bytes, want %d", lengths, want)
	}
	if len(res.Stdout) != 0 {
		t.Errorf("kept %d bytes in spite of DiscardStdout", len(res.Stdout))
	}
}

func TestDiscardKeepsStderr(t *testing.T) {
	c := shell(`echo out; echo err >&2`)
	c.DiscardStdout = true
	res, err := proc.Run(t.Context(), c)
	if err != nil || len(res.Stdout) != 0 || string(res.Stderr) != "err\n" {
		t.Errorf("got %v, %q, %q", err, res.Stdout, res.Stderr)
	}
}

func TestStdin(t *testing.T) {
	c := shell(`cat; echo end`)
	c.Stdin = strings.NewReader("a\nb\n")
	res, err := proc.Run(t.Context(), c)
	if err != nil || string(res.Stdout) != "a\nb\nend\n" {
		t.Errorf("got %v, %q", err, res.Stdout)
	}
	c.Stdin = nil
	res, err = proc.Run(t.Context(), c)
	if err != nil || string(res.Stdout) != "end\n" {
		t.Errorf("without Stdin: got %v, %q", err, res.Stdout)
	}
}

// A child that does not read its input is no failure: the broken pipe is its
// own choice.
func TestUnreadStdin(t *testing.T) {
	c := shell(`exit 0`)
	c.Stdin = strings.NewReader(strings.Repeat("x", 1<<20))
	if _, err := proc.Run(t.Context(), c); err != nil {
		t.Error(err)
	}
}

func TestDir(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := shell(`pwd -P`)
	c.Dir = dir
	res, err := proc.Run(t.Context(), c)
	if err != nil || string(res.Stdout) != dir+"\n" {
		t.Errorf("got %v, %q, want %q", err, res.Stdout, dir)
	}
}

func TestEnviron(t *testing.T) {
	t.Setenv("FLOTILLA_A", "outer")
	t.Setenv("FLOTILLA_B", "outer")
	t.Setenv("FLOTILLA_AB", "outer")
	c := shell(`echo "$FLOTILLA_A/${FLOTILLA_B-unset}/$FLOTILLA_AB/$FLOTILLA_C"`)
	c.Env = proc.Environ("FLOTILLA_A=inner=1", "FLOTILLA_B=", "FLOTILLA_C=new")
	if n := len(slices.Collect(withPrefix(c.Env, "FLOTILLA_A="))); n != 1 {
		t.Errorf("FLOTILLA_A is set %d times", n)
	}
	res, err := proc.Run(t.Context(), c)
	if want := "inner=1//outer/new\n"; err != nil || string(res.Stdout) != want {
		t.Errorf("got %v, %q, want %q", err, res.Stdout, want)
	}
	if os.Getenv("FLOTILLA_A") != "outer" {
		t.Error("Environ changed this process's environment")
	}
}

// withPrefix yields the strings that start with prefix.
func withPrefix(all []string, prefix string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, s := range all {
			if strings.HasPrefix(s, prefix) && !yield(s) {
				return
			}
		}
	}
}

func TestKernelAccounting(t *testing.T) {
	res, err := proc.Run(t.Context(), as(t, "burn"))
	if err != nil {
		t.Fatal(err)
	}
	if res.MaxRSS < 64<<20 {
		t.Errorf("a child that filled 64 MiB shows %d bytes", res.MaxRSS)
	}
	if res.UserTime+res.SystemTime <= 0 {
		t.Errorf("no processor time: %v user, %v system", res.UserTime, res.SystemTime)
	}
}

func TestACmdMayRunSeveralTimesAtOnce(t *testing.T) {
	c := shell(`echo hello`)
	ends := make(chan error)
	for range 4 {
		go func() {
			res, err := proc.Run(t.Context(), c)
			if err == nil && string(res.Stdout) != "hello\n" {
				err = fmt.Errorf("got %q", res.Stdout)
			}
			ends <- err
		}()
	}
	for range 4 {
		if err := <-ends; err != nil {
			t.Error(err)
		}
	}
}

func TestInherit(t *testing.T) {
	// A test binary of its own, so that its streams can be seen.
	c := as(t, "")
	c.Argv = append(c.Argv, "-test.run=^TestInheritInner$", "-test.v")
	c.Env = proc.Environ("FLOTILLA_PROC_CHILD=", "FLOTILLA_PROC_INHERIT=1", raceExit)
	res, err := proc.Run(t.Context(), c)
	if err != nil {
		t.Fatalf("%v\n%s", err, res.Stdout)
	}
	if !strings.Contains(string(res.Stdout), "seen by the caller") {
		t.Errorf("the inner child's output did not come through: %q", res.Stdout)
	}
}

func TestInheritInner(t *testing.T) {
	if os.Getenv("FLOTILLA_PROC_INHERIT") == "" {
		t.Skip("the inner half of TestInherit, which runs it with a process of its own")
	}
	c := as(t, "groups")
	c.Argv = []string{"/bin/sh", "-c", `echo "seen by the caller"`}
	c.Inherit = true
	res, err := proc.Run(t.Context(), c)
	if err != nil || len(res.Stdout) != 0 {
		t.Errorf("got %v, %q", err, res.Stdout)
	}
}

func TestLastLine(t *testing.T) {
	for text, want := range map[string]string{
		"": "", " \n\t\n": "", "one": "one", "one\ntwo\n": "two", "one\r\n two \r\n\r\n": "two",
	} {
		if got := proc.LastLine(text); got != want {
			t.Errorf("LastLine(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestErrorWithoutArgv(t *testing.T) {
	if got := (&proc.Error{Code: 5}).Error(); got != "command: exit code 5" {
		t.Errorf("got %q", got)
	}
}
