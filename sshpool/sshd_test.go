package sshpool

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func secondsOf(n int) time.Duration { return time.Duration(n) * time.Second }

// sshd is a real OpenSSH server on loopback with keys and settings of its own.
type sshd struct {
	t      testing.TB
	dir    string // keys, configuration
	port   int
	config string // the client's ssh_config
	proc   *exec.Cmd
	ended  chan struct{}

	mu  sync.Mutex
	log bytes.Buffer
}

// hostile is a user's ssh_config that would break a careless caller.
const hostile = `
Host *
	LogLevel QUIET
	RemoteCommand echo from-ssh-config
	RequestTTY force
	LocalForward 1 localhost:1
	PermitLocalCommand yes
	LocalCommand echo from-local-command
	ControlMaster auto
	ControlPath none
	ServerAliveInterval 0
	SendEnv NONE
`

func startSSHD(t testing.TB, settings ...string) *sshd {
	t.Helper()
	program := os.Getenv("FLOTILLA_TEST_SSHD")
	if program == "" {
		program = "/usr/sbin/sshd"
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("needs an OpenSSH server: install openssh-server or set FLOTILLA_TEST_SSHD")
	}
	if os.Geteuid() == 0 {
		if _, err := user.Lookup("sshd"); err != nil {
			t.Skip("sshd run by root needs a user named sshd")
		}
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Skip("sshd run by root needs /run/sshd: ", err)
		}
	}
	s := &sshd{t: t, dir: shortDir(t), port: freePort(t), ended: make(chan struct{})}
	s.keygen("host")
	s.keygen("user")
	s.copy("user.pub", "authorized")
	s.write("known", fmt.Sprintf("[127.0.0.1]:%d %s", s.port, s.read("host.pub")))
	s.write("sshd_config", strings.Join(append([]string{
		"Port " + strconv.Itoa(s.port),
		"ListenAddress 127.0.0.1",
		"HostKey " + s.path("host"),
		"AuthorizedKeysFile " + s.path("authorized"),
		"PidFile none",
		"UsePAM no",
		"UseDNS no",
		"StrictModes no",
		"PasswordAuthentication no",
		"PermitRootLogin prohibit-password",
		"MaxStartups 100",
		"LogLevel VERBOSE",
	}, settings...), "\n"))
	s.config = s.path("ssh_config")
	s.write("ssh_config", hostile+
		"	UserKnownHostsFile "+s.path("known")+"\n"+
		"	GlobalKnownHostsFile /dev/null\n"+
		"	IdentitiesOnly yes\n"+
		"	IdentityFile "+s.path("user")+"\n")
	s.start(program)
	return s
}

func (s *sshd) start(program string) {
	s.t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		s.t.Fatal(err)
	}
	s.proc = exec.Command(program, "-D", "-e", "-f", s.path("sshd_config"))
	s.proc.Stderr = w
	if err := s.proc.Start(); err != nil {
		s.t.Fatal(err)
	}
	_ = w.Close()
	listening := make(chan bool, 1)
	go func() {
		defer close(s.ended)
		defer close(listening)
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			s.mu.Lock()
			s.log.WriteString(lines.Text() + "\n")
			s.mu.Unlock()
			if strings.HasPrefix(lines.Text(), "Server listening on") {
				listening <- true
			}
		}
		_ = r.Close()
	}()
	s.t.Cleanup(func() { s.stop() })
	if !<-listening {
		s.t.Fatalf("sshd did not start:\n%s", s.logged())
	}
}

// stop ends the server and what it started, and waits for all of it.
func (s *sshd) stop() {
	// What is stopped makes no more children.
	_ = s.proc.Process.Signal(syscall.SIGSTOP)
	// One whose parent has ended since is no child any more, but stopped all the same.
	stopped := make(map[int]bool)
	for found := true; found; {
		found = false
		for _, pid := range s.children() {
			if !stopped[pid] {
				_ = syscall.Kill(pid, syscall.SIGSTOP)
				stopped[pid], found = true, true
			}
		}
	}
	// A fork that had begun when its process was told to stop ends all the same.
	for pid := range stopped {
		_, _ = syscall.Kill(-pid, syscall.SIGKILL), syscall.Kill(pid, syscall.SIGKILL)
	}
	_ = s.proc.Process.Kill()
	_ = s.proc.Wait()
	<-s.ended
}

func (s *sshd) path(name string) string { return filepath.Join(s.dir, name) }

func (s *sshd) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *sshd) read(name string) string {
	s.t.Helper()
	b, err := os.ReadFile(s.path(name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

func (s *sshd) copy(from, to string) { s.write(to, s.read(from)) }

func (s *sshd) keygen(name string) {
	s.t.Helper()
	out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", s.path(name)).CombinedOutput()
	if err != nil {
		s.t.Fatalf("ssh-keygen: %v: %s", err, out)
	}
}

func (s *sshd) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// logins counts the handshakes that succeeded, as the server saw them.
func (s *sshd) logins() int { return strings.Count(s.logged(), "Accepted publickey for") }

func (s *sshd) target() Target {
	u, err := user.Current()
	if err != nil {
		s.t.Fatal(err)
	}
	return Target{Host: "127.0.0.1", User: u.Username, Port: s.port}
}

// pool returns a pool whose masters end with the test.
func (s *sshd) pool(c Config) *Pool {
	s.t.Helper()
	if c.Dir == "" {
		c.Dir = shortDir(s.t)
	}
	if c.ConfigFile == "" {
		c.ConfigFile = s.config
	}
	if c.SocketProgram == nil {
		c.SocketProgram = ownSocketProgram(s.t)
	}
	p, err := New(c)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			s.t.Error(err)
		}
		endMasters(s.t, c.Dir)
	})
	return p
}

func ownSocketProgram(t testing.TB) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{self, socketProgram}
}

func (s *sshd) connect(p *Pool) *Conn {
	s.t.Helper()
	c, err := p.Connect(s.t.Context(), s.target())
	if err != nil {
		s.t.Fatalf("%v\n%+v\nserver:\n%s", err, err, s.logged())
	}
	return c
}

// endMasters ends every master with a socket in dir and waits for its process.
func endMasters(t testing.TB, dir string) {
	ctx := context.Background()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		sock := filepath.Join(dir, e.Name())
		if pid, err := muxPID(ctx, sock); err == nil {
			// One that went through a jump host ends with that host's.
			if err := muxEnd(ctx, sock, pid, false); err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
				t.Error(err)
			}
			awaitEnd(t, pid)
		}
	}
}

// children returns the processes below the server, of any depth.
func (s *sshd) children() []int {
	parents := make(map[int]int)
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range stats {
		if pid, ppid, _, ok := readStat(f); ok {
			parents[pid] = ppid
		}
	}
	var found []int
	for pid := range parents {
		for p := parents[pid]; p > 1; p = parents[p] {
			if p == s.proc.Process.Pid {
				found = append(found, pid)
				break
			}
		}
	}
	slices.Sort(found)
	return found
}

func readStat(path string) (pid, ppid int, state string, ok bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, 0, "", false
	}
	head, tail, _ := strings.Cut(string(b), " (")
	fields := strings.Fields(tail[strings.LastIndexByte(tail, ')')+1:])
	pid, err1 := strconv.Atoi(head)
	ppid, err2 := strconv.Atoi(fields[1])
	return pid, ppid, fields[0], err1 == nil && err2 == nil
}

// awaitEnd waits until a process that is no child of ours has ended; one that
// its new parent has not collected yet counts as ended.
func awaitEnd(t testing.TB, pid int) {
	t.Helper()
	eventually(t, fmt.Sprintf("process %d to end", pid), func() bool {
		_, _, state, ok := readStat(fmt.Sprintf("/proc/%d/stat", pid))
		return !ok || state == "Z" || state == "X"
	})
}

// eventually polls for something another process does without telling us. Its
// limit only turns a hang into a failure.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	limit := time.NewTimer(30 * time.Second)
	defer limit.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-limit.C:
			t.Fatalf("still waiting for %s", what)
		case <-tick.C:
		}
	}
}

// shortDir is a private directory whose path leaves room for a socket's name.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "fs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// noLeaks fails the test if it leaves more goroutines than it found. Call it
// first, so that its check runs last.
func noLeaks(t *testing.T) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		eventually(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
	})
}

func masterPID(t testing.TB, c *Conn) int {
	t.Helper()
	pid, err := muxPID(t.Context(), c.host.sock)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func itoa(n int) string { return strconv.Itoa(n) }
