package sshpool

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPassSocket(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range pair {
		defer syscall.Close(fd)
	}
	for _, keepAlive := range []bool{true, false} {
		port := itoa(l.Addr().(*net.TCPAddr).Port)
		call := socketCall{"127.0.0.1", port, "ip", keepAlive, time.Minute, os.DevNull}
		if err := passSocket(t.Context(), call.args(), pair[0]); err != nil {
			t.Fatal(err)
		}
		fd := receiveFD(t, pair[1])
		f := os.NewFile(uintptr(fd), "socket")
		defer f.Close()
		for _, o := range []struct {
			level, name int
			want        bool
		}{{syscall.IPPROTO_TCP, syscall.TCP_NODELAY, true}, {syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, keepAlive}} {
			if got, err := syscall.GetsockoptInt(fd, o.level, o.name); err != nil || (got != 0) != o.want {
				t.Errorf("option %d: %d, %v", o.name, got, err)
			}
		}
		peer, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("over it"); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 10)
		if n, err := peer.Read(b); err != nil || string(b[:n]) != "over it" {
			t.Errorf("%q, %v", b[:n], err)
		}
		_ = peer.Close()
	}
}

func receiveFD(t *testing.T, from int) int {
	t.Helper()
	oob := make([]byte, syscall.CmsgSpace(4))
	n, oobn, _, _, err := syscall.Recvmsg(from, make([]byte, 1), oob, 0)
	if err != nil || n != 1 {
		t.Fatalf("%d bytes, %v", n, err)
	}
	messages, err := syscall.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(messages) != 1 {
		t.Fatal(messages, err)
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		t.Fatal(fds, err)
	}
	return fds[0]
}

// What the host's network says is told in ssh's words; a name is for ssh to look for.
func TestPassSocketTells(t *testing.T) {
	closed := itoa(freePort(t))
	for _, c := range []struct{ host, port, family, want string }{
		{"127.0.0.1", closed, "ip", "ssh: connect to host 127.0.0.1 port " + closed + ": Connection refused\n"},
		{"no-such-host.invalid", "22", "ip", ""},
		{"127.0.0.1", closed, "ip6", ""},
	} {
		log := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(log, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := passSocket(t.Context(), socketCall{c.host, c.port, c.family, true, time.Minute, log}.args(), -1); err == nil {
			t.Error("no error for ", c.host)
		}
		if got, err := os.ReadFile(log); err != nil || string(got) != c.want {
			t.Errorf("%s: %q, %v", c.host, got, err)
		}
	}
}

func TestSocketArgs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := socketCall{rapid.String().Draw(t, "host"), rapid.String().Draw(t, "port"), rapid.SampledFrom([]string{"ip", "ip4", "ip6"}).Draw(t, "family"),
			rapid.Bool().Draw(t, "alive"), time.Duration(rapid.IntRange(1, 1<<30).Draw(t, "seconds")) * time.Second, rapid.String().Draw(t, "log")}
		if got, err := parseSocketArgs(want.args()); err != nil || got != want {
			t.Fatalf("%+v, %v", got, err)
		}
		_, _ = parseSocketArgs(rapid.SliceOf(rapid.String()).Draw(t, "any"))
	})
}

// fe80::1%eth0 was connected to without its interface: "Invalid argument".
func TestSocketAddresses(t *testing.T) {
	for _, c := range []struct{ host, family, want string }{
		{"fe80::1%lo", "ip", "fe80::1%lo"},
		{"fe80::1%lo", "ip6", "fe80::1%lo"},
		{"fe80::1%lo", "ip4", ""},
		{"127.0.0.1", "ip", "127.0.0.1"},
		{"127.0.0.1", "ip4", "127.0.0.1"},
		{"127.0.0.1", "ip6", ""},
	} {
		got, err := socketCall{host: c.host, family: c.family}.lookup(t.Context())
		if c.want == "" {
			if err == nil {
				t.Errorf("%+v: %v", c, got)
			}
		} else if err != nil || len(got) != 1 || got[0].String() != c.want {
			t.Errorf("%+v: %v, %v", c, got, err)
		}
	}
}

// ssh is asked once where it is the user's own program that passes no socket.
func TestOwnProxyProgramIsTriedOnce(t *testing.T) {
	noLeaks(t)
	s := startSSHD(t)
	tries := filepath.Join(s.dir, "tries")
	p := s.pool(Config{ConfigFile: s.with("ProxyCommand echo tried >>" + tries + "\nProxyUseFdpass yes")})
	_, err := p.Connect(t.Context(), s.target())
	if b, e := os.ReadFile(tries); e != nil || string(b) != "tried\n" || err == nil {
		t.Errorf("%q, %v; %+v", b, e, err)
	}
}

// The account of a service often has a shell that runs nothing, and ssh has it run ProxyCommand.
func TestShellThatRunsNothing(t *testing.T) {
	noLeaks(t)
	t.Setenv("SHELL", "/bin/false")
	gate := startSSHD(t)
	made := filepath.Join(gate.dir, "sockets")
	t.Setenv(socketsEnv, made)
	inner := "Host inner\nHostName 127.0.0.1\nHostKeyAlias [127.0.0.1]:" + itoa(gate.port) + "\nPort " + itoa(gate.port) + "\nProxyJump gate\n"
	config := gate.with("Host gate\nHostName 127.0.0.1\nHostKeyAlias [127.0.0.1]:" + itoa(gate.port) + "\nPort " + itoa(gate.port) + "\n" + inner + "Host *")
	p := gate.pool(Config{ConfigFile: config})
	conn, err := p.Connect(t.Context(), Target{Host: "inner"})
	if err != nil {
		t.Fatalf("%v\n%+v", err, err)
	}
	output(t, conn, Cmd{Argv: []string{"true"}})
	if b, err := os.ReadFile(made); err != nil || strings.Count(string(b), "\n") != 1 {
		t.Errorf("%q, %v", b, err) // the gate's
	}
}

// Whatever makes the way to a host other than the plain one is ssh's to see to.
func TestWay(t *testing.T) {
	h := &host{pool: &Pool{config: Config{SocketProgram: []string{"/a b/100%", "pass"}, ConnectTimeout: secondsOf(7)}}}
	plain := "hostname box\nport 22\naddressfamily any\ncanonicalizehostname false\ncheckhostip no\nconnectionattempts 1\ntcpkeepalive yes\nconnecttimeout none\n"
	for _, c := range []struct{ with, want string }{
		{"", "'%h' '%p' ip true 7s /s/log"},
		{"addressfamily inet", "'%h' '%p' ip4 true 7s /s/log"},
		{"addressfamily inet6\ntcpkeepalive no\nconnecttimeout 3", "'%h' '%p' ip6 false 3s /s/log"},
		{"proxyjump none", "'%h' '%p' ip true 7s /s/log"},
		{"proxyjump gate", ""},
		{"proxycommand nc %h %p", ""},
		{"bindaddress 10.0.0.1", ""},
		{"bindinterface eth1", ""},
		{"canonicalizehostname true", ""},
		{"canonicalizehostname always", ""},
		{"checkhostip yes", ""},
		{"connectionattempts 3", ""},
		{"nohostauthenticationforlocalhost no", "'%h' '%p' ip true 7s /s/log"},
		{"nohostauthenticationforlocalhost yes", ""},
	} {
		got := strings.Join(h.way(parseSettings(plain+c.with), "/s/log"), "\n")
		want := ""
		if c.want != "" {
			want = "ProxyCommand='/a b/100%%' pass " + c.want + "\nProxyUseFdpass=yes"
		}
		if got != want {
			t.Errorf("%s: %s", c.with, got)
		}
	}
	if got := h.way(nil, "/s/log"); got != nil {
		t.Error("without ssh's word: ", got)
	}
	h.pool.config.SocketProgram = nil
	if got := h.way(parseSettings(plain), "/s/log"); got != nil {
		t.Error("without a program: ", got)
	}
}

// Every kind of connection is made by the socket program; where that makes none, by ssh.
func TestSocketProgram(t *testing.T) {
	noLeaks(t)
	s := startSSHD(t)
	aliased := s.with("Host box\nHostName 127.0.0.1\nHostKeyAlias [127.0.0.1]:" + itoa(s.port) + "\nHost *")
	target := s.target()
	target.Host = "box"
	made := filepath.Join(s.dir, "sockets")
	t.Setenv(socketsEnv, made)
	for _, c := range []struct {
		name    string
		program []string
		change  func(*Target)
		want    int
	}{
		{"used", nil, func(*Target) {}, 3},
		{"fails", []string{"false"}, func(*Target) {}, 0},
		{"is not there", []string{"/no/such/program"}, func(*Target) {}, 0},
		{"not asked", nil, func(t *Target) { t.Options = []string{"BindAddress=127.0.0.1"} }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			_ = os.Remove(made)
			target := target
			c.change(&target)
			p := s.pool(Config{ConfigFile: aliased, SocketProgram: c.program})
			conn, err := p.Connect(t.Context(), target)
			if err != nil {
				t.Fatalf("%v\n%+v", err, err)
			}
			output(t, conn, Cmd{Argv: []string{"true"}})
			if _, err := conn.Fresh(t.Context(), Cmd{Argv: []string{"true"}}); err != nil {
				t.Error(err)
			}
			now := make(chan struct{})
			close(now)
			if _, err := conn.Fresh(t.Context(), Cmd{Argv: []string{"true"}, Hold: now}); err != nil {
				t.Error(err)
			}
			if got := p.Stats(); got.Handshakes != 3 || got.Sessions != 3 {
				t.Errorf("%+v", got)
			}
			b, err := os.ReadFile(made)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			if want := strings.Repeat("127.0.0.1 "+itoa(s.port)+"\n", c.want); string(b) != want {
				t.Errorf("%q, want %q", b, want)
			}
		})
	}
}
