package sshpool

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// recordEnv names a directory to write what ssh said in each failure to, as
// KIND-NAME.txt; testdata/openssh-* was made this way.
const recordEnv = "FLOTILLA_TEST_SSHPOOL_RECORD"

var kindNames = map[Kind]string{
	KindUnreachable: "unreachable", KindHostKeyUnknown: "unknown-key", KindHostKeyChanged: "changed-key",
	KindAuth: "auth", KindConfig: "config", KindUnknown: "unknown",
}

func TestConnectFailures(t *testing.T) {
	for name, program := range map[string][]string{"ssh alone": {}, "a socket program": nil, "one that does not work": {"false"}} {
		t.Run("by "+name, func(t *testing.T) { connectFailures(t, program) })
	}
}

// connectFailures has a server of its own, which does not bear with many failures.
func connectFailures(t *testing.T, program []string) {
	noLeaks(t)
	s := startSSHD(t)
	other := startSSHD(t)
	silent := silentPort(t)
	closing := closingPort(t)
	gated := s.with("Host gate\nHostName 127.0.0.1\nHost *")
	jump := s.target().User + "@gate:" + itoa(s.port)

	for name, c := range map[string]struct {
		kind   Kind
		change func(*Config, *Target)
		says   string
	}{
		"refused": {KindUnreachable, func(_ *Config, t0 *Target) { t0.Port = freePort(t) }, "Connection refused"},
		"name":    {KindUnreachable, func(_ *Config, t0 *Target) { t0.Host = "no-such-host.invalid" }, "resolve"},
		"silent":  {KindUnreachable, func(_ *Config, t0 *Target) { t0.Port = silent }, "timed out"},
		"closing": {KindUnreachable, func(_ *Config, t0 *Target) { t0.Port = closing }, ""},
		"unknown": {KindHostKeyUnknown, func(c *Config, _ *Target) { c.ConfigFile = s.with("UserKnownHostsFile /dev/null") }, ""},
		"changed": {KindHostKeyChanged, func(c *Config, _ *Target) {
			s.write("wrong", "[127.0.0.1]:"+itoa(s.port)+" "+other.read("host.pub"))
			c.ConfigFile = s.with("UserKnownHostsFile " + s.path("wrong"))
		}, ""},
		"changed-acceptnew": {KindHostKeyChanged, func(c *Config, _ *Target) {
			s.write("wrong", "[127.0.0.1]:"+itoa(s.port)+" "+other.read("host.pub"))
			c.ConfigFile, c.HostKeys = s.with("UserKnownHostsFile "+s.path("wrong")), AcceptNew
		}, ""},
		"revoked": {KindHostKeyChanged, func(c *Config, _ *Target) {
			s.write("revoked", "@revoked [127.0.0.1]:"+itoa(s.port)+" "+s.read("host.pub"))
			c.ConfigFile = s.with("UserKnownHostsFile " + s.path("revoked"))
		}, ""},
		"refused-key": {KindAuth, func(c *Config, _ *Target) {
			s.write("wrong_key", strings.ReplaceAll(s.read("ssh_config"), s.path("user"), other.path("user")))
			c.ConfigFile = s.path("wrong_key")
		}, "Permission denied"},
		"no-user":    {KindAuth, func(_ *Config, t0 *Target) { t0.User = "nobody-at-all" }, "Permission denied"},
		"bad-option": {KindConfig, func(_ *Config, t0 *Target) { t0.Options = []string{"NoSuchOption=1"} }, "option"},
		"bad-value":  {KindConfig, func(_ *Config, t0 *Target) { t0.Options = []string{"Compression=perhaps"} }, ""},
		"no-file":    {KindConfig, func(c *Config, _ *Target) { c.ConfigFile = s.path("missing") }, ""},
		"jump-refused": {KindUnreachable, func(_ *Config, t0 *Target) {
			t0.Options = []string{"ProxyJump=" + s.target().User + "@gate:" + itoa(freePort(t))}
		}, ""},
		"jump-target-refused": {KindUnreachable, func(_ *Config, t0 *Target) {
			t0.Options, t0.Port = []string{"ProxyJump=" + jump}, freePort(t)
		}, ""},
		"no-algorithm": {KindConfig, func(_ *Config, t0 *Target) { t0.Options = []string{"MACs=hmac-md5", "Ciphers=aes256-ctr"} }, "no matching"},
	} {
		t.Run(name, func(t *testing.T) {
			config, target := Config{ConnectTimeout: secondsOf(2), SocketProgram: program}, s.target()
			config.ConfigFile = gated
			c.change(&config, &target)
			p := s.pool(config)
			_, err := p.Connect(t.Context(), target)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v", err)
			}
			if program != nil && len(program) == 0 {
				record(t, e, name)
			}
			if e.Kind != c.kind || !e.NotStarted || e.ExitCode != 255 || e.Hint == "" || len(e.Argv) == 0 || !strings.Contains(e.Stderr, c.says) {
				t.Errorf("%v\n%+v", err, e)
			}
			want := int64(1)
			switch name {
			case "closing":
				want = startTries
			case "jump-refused":
				want = 1 // the jump host's
			case "jump-target-refused":
				want = 2
			}
			if got := p.Stats().Handshakes; got != want {
				t.Errorf("%d handshakes, want %d", got, want)
			}
		})
	}
}

func TestAcceptNewRecordsTheKey(t *testing.T) {
	s := startSSHD(t)
	config := Config{HostKeys: AcceptNew, ConfigFile: s.with("UserKnownHostsFile " + s.path("new"))}
	s.connect(s.pool(config))
	if !strings.Contains(s.read("new"), "127.0.0.1") {
		t.Error("the key was not recorded")
	}
	config.HostKeys = Strict
	s.connect(s.pool(config))
}

func TestConnectRespectsTheDeadline(t *testing.T) {
	noLeaks(t)
	s := startSSHD(t)
	target := s.target()
	target.Port = silentPort(t)
	p := s.pool(Config{})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := p.Connect(ctx, target)
	var e *Error
	if !errors.As(err, &e) || e.Kind != KindUnreachable || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("deadline: %v %+v", err, e)
	}

	ctx, cancel = context.WithCancel(t.Context())
	errs := make(chan error, 1)
	go func() {
		_, err := p.Connect(ctx, target)
		errs <- err
	}()
	eventually(t, "the handshake", func() bool { return p.Stats().Handshakes == 2 })
	cancel()
	if err := <-errs; !errors.As(err, &e) || e.Kind != KindCancelled || !errors.Is(err, context.Canceled) {
		t.Errorf("cancel: %v %+v", err, e)
	}
}

// Close must end a handshake that would go on for long.
func TestCloseEndsAHandshake(t *testing.T) {
	noLeaks(t)
	s := startSSHD(t)
	target := s.target()
	target.Port = silentPort(t)
	p := s.pool(Config{ConnectTimeout: secondsOf(3600)})
	errs := make(chan error, 1)
	go func() {
		_, err := p.Connect(t.Context(), target)
		errs <- err
	}()
	eventually(t, "the handshake", func() bool { return p.Stats().Handshakes == 1 })
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-errs; !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// An ssh that is killed while it makes its socket leaves the one it was at: see removeHalfMade.
func TestHalfMadeSocketIsRemoved(t *testing.T) {
	dir := shortDir(t)
	program := filepath.Join(t.TempDir(), "ssh")
	script := `#!/bin/sh
for a; do
	case $a in
	-G) exit 0 ;;
	ControlPath=*) : >"${a#ControlPath=}.u2ljztlc76IZCWHA" ;;
	esac
done
exec sleep 1000
`
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	p, err := New(Config{Dir: dir, Program: program})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close(context.Background()) }()
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() {
		_, err := p.Connect(ctx, Target{Host: "h"})
		over <- err
	}()
	made := func() bool {
		found, err := filepath.Glob(filepath.Join(dir, "*.u2ljztlc76IZCWHA"))
		return err == nil && len(found) == 1
	}
	eventually(t, "ssh's half-made socket", made)
	cancel()
	var e *Error
	if err := <-over; !errors.As(err, &e) || e.Kind != KindCancelled {
		t.Errorf("got %v", err)
	}
	if made() {
		t.Error("it is left")
	}
}

// with returns a client configuration in which the given lines come first.
func (s *sshd) with(lines string) string {
	s.t.Helper()
	name := "ssh_config-" + itoa(len(lines)) + "-" + itoa(int(time.Now().UnixNano()))
	s.write(name, lines+"\n"+s.read("ssh_config"))
	return s.path(name)
}

func record(t *testing.T, e *Error, name string) {
	dir := os.Getenv(recordEnv)
	if dir == "" {
		return
	}
	file := filepath.Join(dir, kindNames[e.Kind]+"-"+name+".txt")
	if err := os.WriteFile(file, []byte(e.Stderr+"\n"), 0o644); err != nil {
		t.Error(err)
	}
}

// silentPort accepts connections, in the kernel, and never says anything.
func silentPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().(*net.TCPAddr).Port
}

// closingPort closes every connection without a word.
func closingPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-ended
	})
	return l.Addr().(*net.TCPAddr).Port
}
