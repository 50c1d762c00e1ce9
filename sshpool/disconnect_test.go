package sshpool

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/nixflotilla/flotilla/internal/proc"
)

func localRun(t *testing.T, argv []string) {
	t.Helper()
	if _, err := proc.Run(t.Context(), proc.Cmd{Argv: detached(os.DevNull, argv)}); err != nil {
		t.Fatal(err)
	}
}

func TestDisconnect(t *testing.T) {
	noLeaks(t)
	s := startSSHD(t)
	dir := shortDir(t)
	config := Config{Dir: dir, ConfigFile: s.config}
	p := s.pool(config)
	if got, err := p.Disconnect(t.Context(), s.target()); got != NotConnected || err != nil {
		t.Errorf("none: %v %v", got, err)
	}
	c := s.connect(s.pool(config)) // as an earlier program
	pid := masterPID(t, c)
	if got, err := p.Disconnect(t.Context(), s.target()); got != Ended || err != nil {
		t.Errorf("idle: %v %v", got, err)
	}
	awaitEnd(t, pid)
	if _, err := os.Lstat(c.host.sock); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("socket: %v", err)
	}

	// An open Conn goes on with a new one, and what runs over the old is not cut off.
	output(t, c, Cmd{Argv: []string{"true"}})
	pid = masterPID(t, c)
	r, w := io.Pipe()
	said := ""
	_, err := c.Run(t.Context(), Cmd{Argv: []string{"sh", "-c", "echo up; cat; echo end"}, Stdin: r, Stdout: func(line string) {
		if said += line; line != "up" {
			return
		}
		if got, err := p.Disconnect(t.Context(), s.target()); got != Draining || err != nil {
			t.Errorf("in use: %v %v", got, err)
		}
		_ = w.Close()
	}})
	if err != nil || said != "upend" {
		t.Errorf("cut off: %v, %q", err, said)
	}
	awaitEnd(t, pid)
}

func TestDisconnectAll(t *testing.T) {
	s := startSSHD(t)
	dir := shortDir(t)
	p := s.pool(Config{Dir: dir, ConfigFile: s.with("Host gate\nHostName 127.0.0.1\nHost *")})
	a := s.connect(p)
	behind := s.target()
	behind.Options = []string{"ProxyJump=gate:" + itoa(s.port)}
	b, err := p.Connect(t.Context(), behind)
	if err != nil {
		t.Fatal(err)
	}
	pids := []int{masterPID(t, a), masterPID(t, b)}
	dead := filepath.Join(dir, strings.Repeat("a", socketNameLen))
	leaveSocket(t, dead)
	foreign := filepath.Join(dir, "not-one-of-ours")
	leaveSocket(t, foreign)
	ended, draining, err := p.DisconnectAll(t.Context())
	if ended != 3 || draining != 0 || err != nil {
		t.Errorf("%d ended, %d draining, %v: want the host, the one behind and the jump host", ended, draining, err)
	}
	for _, pid := range pids {
		awaitEnd(t, pid)
	}
	if _, err := os.Lstat(dead); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a dead socket is left: %v", err)
	}
	if _, err := os.Lstat(foreign); err != nil {
		t.Errorf("what is not ours was touched: %v", err)
	}
}

// A master that is stopped cannot be told anything; that is an error, and not a wait.
func TestDisconnectFromAStoppedMaster(t *testing.T) {
	s := startSSHD(t)
	p := s.pool(Config{})
	pid := masterPID(t, s.connect(p))
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	_, err := p.Disconnect(t.Context(), s.target())
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(err.Error(), "does not answer") || e.Hint == "" {
		t.Errorf("%v", err)
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
	awaitEnd(t, pid)
}
