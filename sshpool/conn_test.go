package sshpool

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// runner is Run or Fresh; both promise the same of a command's end.
type runner func(context.Context, Cmd) (Result, error)

func eachRunner(t *testing.T, test func(*testing.T, *sshd, runner)) {
	s := startSSHD(t)
	c := s.connect(s.pool(Config{}))
	t.Run("Run", func(t *testing.T) { test(t, s, c.Run) })
	t.Run("Fresh", func(t *testing.T) { test(t, s, c.Fresh) })
}

func TestExitCodes(t *testing.T) {
	eachRunner(t, func(t *testing.T, s *sshd, do runner) {
		for script, want := range map[string]int{
			"exit 0": 0, "exit 1": 1, "exit 254": 254, "exit 255": 255, "kill -9 $$": -1,
			// What another ssh would say must not be taken for our own's.
			"echo 'ssh: connect to host x port 22: Connection refused' >&2; exit 255": 255,
		} {
			res, err := do(t.Context(), Cmd{Script: "echo out; echo err >&2; " + script})
			if string(res.Stdout) != "out\n" || !strings.HasPrefix(string(res.Stderr), "err\n") {
				t.Errorf("%s: output %q %q", script, res.Stdout, res.Stderr)
			}
			if res.Duration <= 0 {
				t.Errorf("%s: no duration", script)
			}
			if want == 0 {
				if err != nil {
					t.Errorf("%s: %v", script, err)
				}
				continue
			}
			var e *ExitError
			if errors.As(err, &e) && want == -1 && e.Code == 128+9 {
				continue // a log-in shell that waited for the command
			}
			if !errors.As(err, &e) || e.Code != want || e.Stderr != string(res.Stderr) {
				t.Errorf("%s: %v, want exit code %d", script, err, want)
			}
		}
	})
}

func TestArgumentsArriveAsTheyAre(t *testing.T) {
	args := []string{"", "it's", `"quoted"`, "two\nlines\n", "$(touch /tmp/never)", "`id`", `back\slash\\`, "*", "~", "-n", "--",
		"a;b&c|d>e<f", "#no comment", "tab\t", "ünï", "\x01\x7f\xff", "!history", "x=y", "{a,b}"}
	want := strings.Join(args, "\x1f") + "\x1f"
	eachRunner(t, func(t *testing.T, s *sshd, do runner) {
		const script = `for a in "$@"; do printf '%s\037' "$a"; done`
		for _, cmd := range []Cmd{
			{Script: script, Argv: args},
			{Argv: append([]string{"sh", "-c", script, "sh"}, args...)},
		} {
			res, err := do(t.Context(), cmd)
			if err != nil || string(res.Stdout) != want {
				t.Errorf("script %v: %v\n got %q\nwant %q", cmd.Script != "", err, res.Stdout, want)
			}
		}
	})
}

func TestScriptIsReadWhole(t *testing.T) {
	eachRunner(t, func(t *testing.T, s *sshd, do runner) {
		res, err := do(t.Context(), Cmd{Script: "#!/bin/sh\nset -eu\ncat\ncat <<EOF\nhere $1\nEOF", Argv: []string{"it is"}})
		if err != nil || string(res.Stdout) != "here it is\n" {
			t.Errorf("%v: %q", err, res.Stdout)
		}
		long := "set -eu\ncat\n" + strings.Repeat("# a line of no use\n", longestArgument/10) + "echo \"it's $1\""
		if res, err = do(t.Context(), Cmd{Script: long, Argv: []string{"long"}}); err != nil || string(res.Stdout) != "it's long\n" {
			t.Errorf("%v: %q", err, res.Stdout)
		}
		if res, err = do(t.Context(), Cmd{Script: "# only a comment"}); err != nil {
			t.Errorf("%v: %s", err, res.Stderr)
		}
	})
}

// Half a script must not run: its end may be what undoes its beginning.
func TestTruncatedScriptRunsNothing(t *testing.T) {
	whole := readWhole("echo began\necho ended")
	for n := range len(whole) - 2 {
		res, _ := proc.Run(t.Context(), proc.Cmd{Argv: []string{"/bin/sh", "-s"}, Stdin: strings.NewReader(whole[:n])})
		if len(res.Stdout) != 0 {
			t.Errorf("the first %d bytes printed %q", n, res.Stdout)
		}
	}
}

// A held command is logged in and runs nothing before it is let go; one that is
// cancelled has run nothing, and one whose host cannot be reached says so at once.
func TestHeld(t *testing.T) {
	noLeaks(t)
	eachRunner(t, func(t *testing.T, s *sshd, do runner) {
		mark := filepath.Join(s.dir, "ran")
		script := Cmd{Script: "echo >" + Quote(mark) + "; echo done"}
		before := s.logins()
		hold := make(chan struct{})
		script.Hold = hold
		over := make(chan error, 1)
		go func() {
			res, err := do(t.Context(), script)
			if err == nil && string(res.Stdout) != "done\n" {
				err = errors.New(string(res.Stdout))
			}
			over <- err
		}()
		if strings.HasSuffix(t.Name(), "Fresh") {
			eventually(t, "the log-in", func() bool { return s.logins() > before })
		}
		if _, err := os.Stat(mark); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("it ran before its time: %v", err)
		}
		close(hold)
		if err := <-over; err != nil {
			t.Error(err)
		}
		if err := os.Remove(mark); err != nil {
			t.Error(err)
		}

		ctx, cancel := context.WithCancel(t.Context())
		script.Hold = make(chan struct{})
		go func() { _, err := do(ctx, script); over <- err }()
		cancel()
		var e *Error
		if err := <-over; !errors.As(err, &e) || e.Kind != KindCancelled {
			t.Errorf("cancelled: %v", err)
		}
		if _, err := os.Stat(mark); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("it ran though cancelled: %v", err)
		}
	})
	s := startSSHD(t)
	c := s.connect(s.pool(Config{}))
	s.stop()
	_, err := c.Fresh(t.Context(), Cmd{Script: "true", Hold: make(chan struct{})})
	var e *Error
	if !errors.As(err, &e) || e.Kind != KindUnreachable || !e.NotStarted {
		t.Errorf("server gone: %v", err)
	}
}

// A held connection that is dead when the command may be sent is made anew; of one that
// is not needed nothing is left.
func TestHeldConnectionDies(t *testing.T) {
	s := startSSHD(t)
	p := s.pool(Config{MaxConnecting: 1})
	c := s.connect(p)
	// After a session the server has no process left over from the log-in.
	if _, err := c.Run(t.Context(), Cmd{Script: "true"}); err != nil {
		t.Fatal(err)
	}
	before, logins, files := s.children(), s.logins(), s.files(p)
	hold, over := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := c.Fresh(t.Context(), Cmd{Script: "echo ran >>" + Quote(s.path("ran")), Hold: hold})
		over <- err
	}()
	eventually(t, "the log-in", func() bool { return s.logins() == logins+1 })
	// The one turn to connect is had again once the handshake is over: what dies before is
	// no connection, which is told and not tried again.
	if err := p.connecting.Acquire(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	p.connecting.Release(1)
	eventually(t, "the server's processes to end", func() bool {
		ours := slices.DeleteFunc(s.children(), func(pid int) bool { return slices.Contains(before, pid) })
		for _, pid := range ours {
			// Whole groups: a child made after this look would live on.
			_ = syscall.Kill(-pid, syscall.SIGKILL)
		}
		return len(ours) == 0
	})
	eventually(t, "the connection's end", func() bool {
		return !slices.ContainsFunc(s.files(p), func(name string) bool {
			_, err := muxPID(t.Context(), filepath.Join(p.config.Dir, name))
			return err == nil && !slices.Contains(files, name)
		})
	})
	close(hold)
	if err := <-over; err != nil || s.logins() != logins+2 {
		t.Fatalf("%v, %d log-ins more", err, s.logins()-logins)
	}
	if ran := s.read("ran"); ran != "ran\n" {
		t.Errorf("%q", ran)
	}

	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, err := c.Fresh(ctx, Cmd{Script: "exit 1", Hold: make(chan struct{})})
		over <- err
	}()
	eventually(t, "another log-in", func() bool { return s.logins() == logins+3 })
	cancel()
	<-over
	eventually(t, "the connection's end", func() bool { return slices.Equal(s.children(), before) })
	if now := s.files(p); !slices.Equal(now, files) {
		t.Errorf("left %q", now)
	}
}

// files are those in a pool's directory.
func (s *sshd) files(p *Pool) (names []string) {
	all, err := os.ReadDir(p.config.Dir)
	if err != nil {
		s.t.Error(err)
	}
	for _, f := range all {
		names = append(names, f.Name())
	}
	return names
}

func TestStdinAndLargeOutput(t *testing.T) {
	const size = 8 << 20
	in := strings.Repeat("0123456789abcde\n", size/16)
	eachRunner(t, func(t *testing.T, s *sshd, do runner) {
		var lines int
		res, err := do(t.Context(), Cmd{Argv: []string{"cat"}, Stdin: strings.NewReader(in), Stdout: func(string) { lines++ }})
		if err != nil || string(res.Stdout) != in || lines != size/16 {
			t.Errorf("%v: %d bytes, %d lines", err, len(res.Stdout), lines)
		}
	})
}

func TestUserConfigurationCannotInterfere(t *testing.T) {
	eachRunner(t, func(t *testing.T, s *sshd, do runner) {
		res, err := do(t.Context(), Cmd{Argv: []string{"sh", "-c", "tty; echo end"}})
		if err != nil || string(res.Stdout) != "not a tty\nend\n" || len(res.Stderr) != 0 {
			t.Errorf("%v: %q %q", err, res.Stdout, res.Stderr)
		}
	})
}

func TestCancel(t *testing.T) {
	noLeaks(t)
	eachRunner(t, func(t *testing.T, s *sshd, do runner) {
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("changed my mind")
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = errors.Join(r.Close(), w.Close()) }()
		_, err = do(ctx, Cmd{Argv: []string{"sh", "-c", "echo up; cat"}, Stdin: r, Stdout: func(string) { cancel(why) }})
		var e *Error
		if !errors.As(err, &e) || e.Kind != KindCancelled || e.NotStarted || !errors.Is(err, context.Canceled) || !errors.Is(err, why) {
			t.Errorf("%v %+v", err, e)
		}
		if res, err := do(t.Context(), Cmd{Argv: []string{"echo", "on"}}); err != nil || string(res.Stdout) != "on\n" {
			t.Errorf("afterwards: %v", err)
		}
		if _, err = do(ctx, Cmd{Argv: []string{"true"}}); !errors.As(err, &e) || !e.NotStarted || !errors.Is(err, context.Canceled) {
			t.Errorf("an ended context: %v", err)
		}
	})
}

func TestConnectionLostDuringACommand(t *testing.T) {
	noLeaks(t)
	eachRunner(t, func(t *testing.T, s *sshd, do runner) {
		r, w := io.Pipe()
		_, err := do(t.Context(), Cmd{Argv: []string{"sh", "-c", "echo up; cat"}, Stdin: r, Stdout: func(string) {
			for _, pid := range s.children() {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
			_ = w.Close()
		}})
		var e *Error
		if !errors.As(err, &e) || e.Kind != KindLost || e.NotStarted || e.ExitCode != 255 || e.Hint == "" {
			t.Errorf("%v %+v", err, e)
		}
		if _, err := do(t.Context(), Cmd{Argv: []string{"true"}}); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestMasterKilledDuringACommand(t *testing.T) {
	s := startSSHD(t)
	c := s.connect(s.pool(Config{}))
	pid := masterPID(t, c)
	r, w := io.Pipe()
	_, err := c.Run(t.Context(), Cmd{Argv: []string{"sh", "-c", "echo up; cat"}, Stdin: r, Stdout: func(string) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		_ = w.Close()
	}})
	var e *Error
	if !errors.As(err, &e) || e.Kind != KindLost || e.NotStarted {
		t.Errorf("%v %+v", err, e)
	}
	output(t, c, Cmd{Argv: []string{"true"}})
}

func TestSessionLimit(t *testing.T) {
	noLeaks(t)
	const limit, commands = 2, 5
	s := startSSHD(t)
	p := s.pool(Config{MaxSessions: limit})
	c := s.connect(p)
	up := make(chan *io.PipeWriter, commands)
	var wg sync.WaitGroup
	for range commands {
		wg.Go(func() {
			r, w := io.Pipe()
			_, err := c.Run(t.Context(), Cmd{Argv: []string{"sh", "-c", "echo up; cat"}, Stdin: r, Stdout: func(string) { up <- w }})
			if err != nil {
				t.Error(err)
			}
		})
	}
	first, second := <-up, <-up
	if c.host.sessions.TryAcquire(1) {
		t.Error("a session more than the limit was free")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Run(ctx, Cmd{Argv: []string{"true"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for a session: %v", err)
	}
	if got := p.Stats().Sessions; got != limit {
		t.Errorf("%d sessions at once, want %d", got, limit)
	}
	_ = errors.Join(first.Close(), second.Close())
	for range commands - limit {
		_ = (<-up).Close()
	}
	wg.Wait()
}

// With MaxSessions 1 the commands of a pool run one after the other, though it
// may not have known of that limit when it began them.
func TestHostRefusesMoreSessions(t *testing.T) {
	noLeaks(t)
	s := startSSHD(t, "MaxSessions 1")
	p := s.pool(Config{})
	c := s.connect(p)
	gate := filepath.Join(shortDir(t), "gate")
	if err := syscall.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	up := make(chan bool, 5)
	var wg sync.WaitGroup
	for range cap(up) {
		wg.Go(func() {
			_, err := c.Run(t.Context(), Cmd{Script: `echo up; read x <"$1"`, Argv: []string{gate}, Stdout: func(string) { up <- true }})
			if err != nil {
				t.Error(err)
			}
		})
	}
	<-up
	eventually(t, "refusals", func() bool { return p.Stats().Sessions == int64(cap(up)) && c.Sessions() == 1 })
	for n := range cap(up) {
		if len(up) != 0 {
			t.Error("two at once")
		}
		if err := os.WriteFile(gate, []byte("\n"), 0); err != nil {
			t.Error(err)
		}
		if n < cap(up)-1 {
			<-up
		}
	}
	wg.Wait()
	if n := s.logins(); n != 1 {
		t.Errorf("the server saw %d log-ins, want 1", n)
	}
}

// A session that is not the pool's own, such as Nix's, is waited for, but not for ever.
func TestHostIsFullOfOthers(t *testing.T) {
	noLeaks(t)
	s := startSSHD(t, "MaxSessions 1")
	dir := shortDir(t)
	r, w := io.Pipe()
	up, ended := make(chan bool, 1), make(chan error, 1)
	others := s.connect(s.pool(Config{Dir: dir}))
	go func() {
		_, err := others.Run(t.Context(), Cmd{Argv: []string{"sh", "-c", "echo up; cat"}, Stdin: r, Stdout: func(string) { up <- true }})
		ended <- err
	}()
	<-up
	p := s.pool(Config{Dir: dir, ConnectTimeout: 300 * time.Millisecond})
	c := s.connect(p)
	_, err := c.Run(t.Context(), Cmd{Argv: []string{"true"}})
	var e *Error
	if !errors.As(err, &e) || !e.NotStarted || !strings.Contains(e.Hint, "MaxSessions") {
		t.Errorf("%v %+v", err, e)
	}
	p = s.pool(Config{Dir: dir})
	c = s.connect(p)
	got := make(chan error, 1)
	go func() {
		_, err := c.Run(t.Context(), Cmd{Argv: []string{"true"}})
		got <- err
	}()
	eventually(t, "a refusal", func() bool { return c.Sessions() == 1 })
	_ = w.Close()
	if err := errors.Join(<-ended, <-got); err != nil {
		t.Error(err)
	}
	if n := s.logins(); n != 1 {
		t.Errorf("the server saw %d log-ins, want 1", n)
	}
}

func TestFreshIsAConnectionOfItsOwn(t *testing.T) {
	s := startSSHD(t)
	p := s.pool(Config{})
	c := s.connect(p)
	if _, err := c.Fresh(t.Context(), Cmd{Argv: []string{"true"}}); err != nil {
		t.Error(err)
	}
	if n := s.logins(); n != 2 {
		t.Errorf("the server saw %d log-ins, want 2", n)
	}
	if got, want := p.Stats(), (Stats{Handshakes: 2, Sessions: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	s.stop()
	_, err := c.Fresh(t.Context(), Cmd{Argv: []string{"true"}})
	var e *Error
	if !errors.As(err, &e) || e.Kind != KindUnreachable || !e.NotStarted {
		t.Errorf("server gone: %v %+v", err, e)
	}
}

func TestNixRidesTheMaster(t *testing.T) {
	s := startSSHD(t)
	c := s.connect(s.pool(Config{}))
	words := strings.Fields(c.NixSSHOpts())
	for _, w := range words {
		if !isWord(strings.TrimPrefix(w, "-"), pathPunctuation) {
			t.Errorf("word %q needs quoting", w)
		}
	}
	// As nix calls it, without user and port.
	nix := append(append([]string{"ssh", "127.0.0.1", "-x"}, words...),
		"-oPermitLocalCommand=yes", "-oLocalCommand=echo started", "--", "echo", "hello")
	res, err := proc.Run(t.Context(), proc.Cmd{Argv: nix})
	if err != nil || string(res.Stdout) != "hello\n" {
		t.Errorf("%v: %q", err, res.Stdout)
	}
	if err := muxEnd(t.Context(), c.host.sock, masterPID(t, c), false); err != nil {
		t.Fatal(err)
	}
	if res, err := proc.Run(t.Context(), proc.Cmd{Argv: nix}); err == nil || res.Code != 255 {
		t.Errorf("with a dead master: %v", err)
	}
	if n := s.logins(); n != 1 {
		t.Errorf("the server saw %d log-ins, want 1", n)
	}
}

// The master's number tells a connection from the one before it; nix by itself makes
// one each time, to the same port and with the same policy.
func TestMasterAndNixByItself(t *testing.T) {
	s := startSSHD(t)
	c := s.connect(s.pool(Config{}))
	first := c.Master(t.Context())
	if first == 0 || first != c.Master(t.Context()) || first != masterPID(t, c) {
		t.Errorf("the master is %d, then %d", first, c.Master(t.Context()))
	}
	if err := muxEnd(t.Context(), c.host.sock, first, false); err != nil {
		t.Fatal(err)
	}
	if n := c.Master(t.Context()); n != 0 {
		t.Errorf("a master that has ended is %d", n)
	}
	output(t, c, Cmd{Argv: []string{"true"}})
	if n := c.Master(t.Context()); n == 0 || n == first {
		t.Errorf("%d after %d", n, first)
	}

	words := strings.Fields(c.DirectNixSSHOpts())
	for _, w := range words {
		if !isWord(strings.TrimPrefix(w, "-"), pathPunctuation) {
			t.Errorf("word %q needs quoting", w)
		}
	}
	before := s.logins()
	// Nix has a local command of its own, and waits for what it says (ssh.cc).
	nix := []string{"ssh", "127.0.0.1", "-x", "-oPermitLocalCommand=yes", "-oLocalCommand=echo started"}
	res, err := proc.Run(t.Context(), proc.Cmd{Argv: append(append(nix, words...), "--", "echo", "hello")})
	if err != nil || string(res.Stdout) != "started\nhello\n" || s.logins() != before+1 {
		t.Errorf("%v: %q, %d log-ins", err, res.Stdout, s.logins()-before)
	}
}

func TestCommandsThatCannotBeRun(t *testing.T) {
	c := &Conn{host: &host{pool: &Pool{}}}
	for _, cmd := range []Cmd{
		{},
		{Argv: []string{""}},
		{Argv: []string{"-x"}},
		{Argv: []string{"a\x00b"}},
		{Script: "a\x00b"},
		{Script: "cat", Stdin: strings.NewReader("x")},
	} {
		_, err := c.Run(t.Context(), cmd)
		_, fresh := c.Fresh(t.Context(), cmd)
		for _, err := range []error{err, fresh} {
			var e *Error
			if !errors.As(err, &e) || e.Kind != KindConfig || !e.NotStarted {
				t.Errorf("%+v: %v", cmd, err)
			}
		}
	}
}

// A user who breaks ssh_config while a deployment runs must be told so, and not
// that the connection was lost.
func TestConfigurationBrokenMeanwhile(t *testing.T) {
	s := startSSHD(t)
	c := s.connect(s.pool(Config{}))
	s.write("ssh_config", "NoSuchOption yes\n")
	for _, do := range []runner{c.Run, c.Fresh} {
		_, err := do(t.Context(), Cmd{Argv: []string{"true"}})
		var e *Error
		if !errors.As(err, &e) || e.Kind != KindConfig || !e.NotStarted || !strings.Contains(e.Stderr, "nosuchoption") {
			t.Errorf("%v %+v", err, e)
		}
	}
}

func BenchmarkWarm(b *testing.B) {
	s := startSSHD(b)
	p := s.pool(Config{})
	c := s.connect(p)
	b.Run("Connect", func(b *testing.B) {
		for b.Loop() {
			if _, err := p.Connect(b.Context(), s.target()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Run", func(b *testing.B) {
		for b.Loop() {
			if _, err := c.Run(b.Context(), Cmd{Argv: []string{"true"}}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("plain-ssh", func(b *testing.B) {
		argv := []string{"ssh", "-F", "none", "-S", c.host.sock, "127.0.0.1", "true"}
		for b.Loop() {
			if _, err := proc.Run(b.Context(), proc.Cmd{Argv: argv}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
