package sshpool

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// other runs the command in another process with a pool of its own.
func other(t *testing.T, c Config, target Target, argv ...string) helperAnswer {
	t.Helper()
	call, err := json.Marshal(helperCall{c, target, argv})
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = proc.Environ(helperEnv + "=" + string(call))
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var a helperAnswer
	if err := json.Unmarshal(out, &a); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if a.Err != "" {
		t.Error(a.Err)
	}
	return a
}

func output(t *testing.T, c *Conn, cmd Cmd) string {
	t.Helper()
	res, err := c.Run(t.Context(), cmd)
	if err != nil {
		t.Fatalf("%v\n%+v", err, err)
	}
	return string(res.Stdout)
}

func TestColdConnectAndReuse(t *testing.T) {
	noLeaks(t)
	s := startSSHD(t)
	config := Config{Dir: shortDir(t), ConfigFile: s.config}
	p := s.pool(config)
	c := s.connect(p)
	if c.Handshake() <= 0 {
		t.Error("a cold connect took no time")
	}
	if got := output(t, c, Cmd{Argv: []string{"echo", "a b", "$HOME"}}); got != "a b $HOME\n" {
		t.Errorf("got %q", got)
	}
	if got, want := p.Stats(), (Stats{Handshakes: 1, Sessions: 1}); got != want {
		t.Errorf("first pool: %+v, want %+v", got, want)
	}
	if err := c.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}

	second := s.pool(config)
	if c := s.connect(second); c.Handshake() != 0 || output(t, c, Cmd{Argv: []string{"true"}}) != "" {
		t.Error("the second pool did not reuse the master")
	}
	if got, want := second.Stats(), (Stats{Sessions: 1}); got != want {
		t.Errorf("second pool: %+v, want %+v", got, want)
	}
	a := other(t, config, s.target(), "echo", "hello")
	if want := (helperAnswer{Stats: Stats{Sessions: 1}, Stdout: "hello\n"}); a != want {
		t.Errorf("other process: %+v, want %+v", a, want)
	}
	if n := s.logins(); n != 1 {
		t.Errorf("the server saw %d log-ins, want 1", n)
	}
	if left, _ := filepath.Glob(filepath.Join(config.Dir, "session-*")); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

func TestParallelConnectsShareOneHandshake(t *testing.T) {
	noLeaks(t)
	s := startSSHD(t)
	config := Config{Dir: shortDir(t), ConfigFile: s.config}
	p := s.pool(config)
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			c, err := p.Connect(t.Context(), s.target())
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := c.Run(t.Context(), Cmd{Argv: []string{"true"}}); err != nil {
				t.Error(err)
			}
		})
	}
	for range 3 {
		wg.Go(func() { other(t, config, s.target(), "true") })
	}
	wg.Wait()
	if n := p.Stats().Handshakes; n > 1 {
		t.Errorf("%d handshakes in one pool", n)
	}
	if n := s.logins(); n != 1 {
		t.Errorf("the server saw %d log-ins, want 1", n)
	}
}

func TestKilledMasterIsReplaced(t *testing.T) {
	noLeaks(t)
	s := startSSHD(t)
	p := s.pool(Config{})
	c := s.connect(p)
	pid := masterPID(t, c)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, pid)
	if got := output(t, c, Cmd{Argv: []string{"cat"}, Stdin: strings.NewReader("again")}); got != "again" {
		t.Errorf("got %q", got)
	}
	if got, want := p.Stats(), (Stats{Handshakes: 2, Sessions: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// A session that meets a dead socket must not dial by itself, which is what ssh
// would do. Run avoids the case by dialling first, hence the inner call.
func TestSessionNeverDials(t *testing.T) {
	s := startSSHD(t)
	p := s.pool(Config{})
	c := s.connect(p)
	m := c.host.current
	if err := muxEnd(t.Context(), c.host.sock, m.pid, false); err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, m.pid)
	for _, left := range []bool{false, true} {
		if left {
			leaveSocket(t, c.host.sock)
		}
		_, err := c.host.session(t.Context(), m, Cmd{Argv: []string{"true"}})
		var e *Error
		if !errors.As(err, &e) || e.Kind != KindLost || !e.NotStarted || !e.reconnect {
			t.Errorf("dead socket left: %v: %v %+v", left, err, e)
		}
	}
	if n := s.logins(); n != 1 {
		t.Errorf("the server saw %d log-ins, want 1", n)
	}
}

// leaveSocket leaves a socket file that nobody listens on.
func leaveSocket(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	s := startSSHD(t)
	p := s.pool(Config{})
	leaveSocket(t, filepath.Join(p.config.Dir, p.key(s.target())))
	output(t, s.connect(p), Cmd{Argv: []string{"true"}})
}

// A master whose host has gone silent still answers at its socket. Its session
// must be given up and a new connection made.
func TestHalfDeadMasterIsReplaced(t *testing.T) {
	noLeaks(t)
	s := startSSHD(t)
	dir := shortDir(t)
	first := s.connect(s.pool(Config{Dir: dir}))
	old := masterPID(t, first)
	// After a command sshd's helpers for the log-in have made way for the
	// processes that serve the connection.
	output(t, first, Cmd{Argv: []string{"true"}})
	silent := s.silence()
	p := s.pool(Config{Dir: dir, ConnectTimeout: secondsOf(1)})
	c := s.connect(p)
	if got := output(t, c, Cmd{Argv: []string{"cat"}, Stdin: strings.NewReader("in")}); got != "in" {
		t.Errorf("got %q", got)
	}
	if got, want := p.Stats(), (Stats{Handshakes: 1, Sessions: 2}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if pid := masterPID(t, c); pid == old {
		t.Error("the dead master is still in use")
	}
	for _, pid := range silent {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	awaitEnd(t, old)
	// Its end must not take the new one's socket with it.
	output(t, c, Cmd{Argv: []string{"true"}})
	if got := p.Stats().Handshakes; got != 1 {
		t.Errorf("%d handshakes, want 1", got)
	}
}

func TestStoppedMasterIsReplaced(t *testing.T) {
	s := startSSHD(t)
	p := s.pool(Config{})
	c := s.connect(p)
	old := masterPID(t, c)
	if err := syscall.Kill(old, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(old, syscall.SIGKILL)
		awaitEnd(t, old)
	})
	c2 := s.connect(p)
	output(t, c2, Cmd{Argv: []string{"true"}})
	if masterPID(t, c2) == old {
		t.Error("the stopped master is still in use")
	}
}

func TestMastersEndOnlyWithAPoolThatOwnsThem(t *testing.T) {
	noLeaks(t)
	s := startSSHD(t)
	ctx := t.Context()

	dir := shortDir(t)
	p := s.pool(Config{Dir: dir, Persist: -1})
	a, b := s.connect(p), s.connect(p)
	pid := masterPID(t, a)
	if err := a.Close(ctx); err != nil {
		t.Error(err)
	}
	if err := a.Close(ctx); err != nil {
		t.Error(err)
	}
	if _, err := a.Run(ctx, Cmd{Argv: []string{"true"}}); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed Conn: %v", err)
	}
	output(t, b, Cmd{Argv: []string{"true"}})
	if err := b.Close(ctx); err != nil {
		t.Error(err)
	}
	awaitEnd(t, pid)

	pid = masterPID(t, s.connect(p))
	if err := p.Close(ctx); err != nil {
		t.Error(err)
	}
	awaitEnd(t, pid)
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := p.Connect(ctx, s.target()); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed Pool: %v", err)
	}

	p = s.pool(Config{})
	c := s.connect(p)
	pid = masterPID(t, c)
	if err := errors.Join(c.Close(ctx), p.Close(ctx)); err != nil {
		t.Error(err)
	}
	if now, err := muxPID(ctx, c.host.sock); err != nil || now != pid {
		t.Errorf("the master did not stay: %v", err)
	}
}

func TestMasterEndsWhenUnused(t *testing.T) {
	s := startSSHD(t)
	c := s.connect(s.pool(Config{Persist: secondsOf(1)}))
	awaitEnd(t, masterPID(t, c))
	if _, err := os.Lstat(c.host.sock); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("socket: %v", err)
	}
}

// The master must hold none of the pipes of whoever started it, or that one's
// caller waits for the master's end.
func TestMasterHoldsNoPipes(t *testing.T) {
	s := startSSHD(t)
	pid := masterPID(t, s.connect(s.pool(Config{})))
	for _, fd := range []string{"0", "1", "2"} {
		link, err := os.Readlink(filepath.Join("/proc", itoa(pid), "fd", fd))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(link, "pipe:") {
			t.Errorf("descriptor %s of the master is %s", fd, link)
		}
	}
}

func TestConnectThroughAJumpHost(t *testing.T) {
	s := startSSHD(t)
	p := s.pool(Config{ConfigFile: s.with("Host gate\nHostName 127.0.0.1\nHost *")})
	target := s.target()
	target.Options = []string{"ProxyJump=" + target.User + "@gate:" + itoa(s.port)}
	c, err := p.Connect(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	output(t, c, Cmd{Argv: []string{"true"}})
	if n := s.logins(); n != 2 {
		t.Errorf("the server saw %d log-ins, want 2", n)
	}
}

func TestSharedHandshakeOutlivesItsFirstCaller(t *testing.T) {
	noLeaks(t)
	s := startSSHD(t)
	p := s.pool(Config{})
	h, err := p.hold(s.target())
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := lockFile(t.Context(), h.lock)
	if err != nil {
		t.Fatal(err)
	}
	first, cancel := context.WithCancel(t.Context())
	errs := make(chan error, 1)
	go func() {
		_, err := h.connect(first)
		errs <- err
	}()
	eventually(t, "the first caller", func() bool { return h.waiting() == 1 })
	got := make(chan error, 1)
	go func() {
		_, err := h.connect(t.Context())
		got <- err
	}()
	eventually(t, "the second caller", func() bool { return h.waiting() == 2 })
	cancel()
	if err := <-errs; !errors.Is(err, context.Canceled) {
		t.Errorf("first: %v", err)
	}
	unlock()
	if err := <-got; err != nil {
		t.Errorf("second: %v", err)
	}
	if n := s.logins(); n != 1 {
		t.Errorf("the server saw %d log-ins, want 1", n)
	}
}

func (h *host) waiting() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.flight == nil {
		return 0
	}
	return h.flight.waiters
}
