package sshpool

import (
	"bufio"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"pgregory.net/rapid"
)

// Many hosts behind a jump host cost it one connection, however they are started,
// and a jump host may be behind another.
func TestHostsShareTheJumpHost(t *testing.T) {
	noLeaks(t)
	gate, inner := startSSHD(t, "MaxStartups 2:100:2"), startSSHD(t)
	const hosts = 6
	config := gate.with("Host gate\nHostName 127.0.0.1\nPort " + itoa(gate.port) +
		"\nHost gate2\nHostName 127.0.0.1\nPort " + itoa(gate.port) + "\nProxyJump gate" +
		"\nHost inner*\nHostName 127.0.0.1\nHostKeyAlias inner\nPort " + itoa(inner.port) + "\nProxyJump gate2\nHost *")
	gate.write("known", gate.read("known")+"inner "+inner.read("host.pub"))
	inner.write("authorized", gate.read("user.pub"))
	dir := shortDir(t)
	p := gate.pool(Config{Dir: dir, ConfigFile: config})
	var wg sync.WaitGroup
	for i := range hosts {
		wg.Go(func() {
			c, err := p.Connect(t.Context(), Target{Host: "inner" + itoa(i)})
			if err != nil {
				t.Errorf("%v\n%+v", err, err)
				return
			}
			output(t, c, Cmd{Argv: []string{"true"}})
		})
	}
	wg.Wait()
	if got, want := p.Stats(), (Stats{Handshakes: hosts + 2, Sessions: hosts}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if g, i := gate.logins(), inner.logins(); g != 2 || i != hosts {
		t.Errorf("%d log-ins at the jump host, %d behind it", g, i)
	}
	// Another program shares it too.
	later := gate.pool(Config{Dir: dir, ConfigFile: config})
	if _, err := later.Connect(t.Context(), Target{Host: "inner-later"}); err != nil {
		t.Fatal(err)
	}
	if got := later.Stats(); got.Handshakes != 1 || gate.logins() != 2 {
		t.Errorf("%+v, %d log-ins at the jump host", got, gate.logins())
	}
}

// What fails at the jump host is said of the jump host.
func TestJumpHostFails(t *testing.T) {
	s, other := startSSHD(t), startSSHD(t)
	free := freePort(t)
	for name, c := range map[string]struct {
		jump, lines, says string
		kind              Kind
		viaJump           bool
	}{
		"refused":     {"gate:" + itoa(free), "", "Connection refused", KindUnreachable, true},
		"wrong user":  {"nobody-at-all@gate:" + itoa(s.port), "", "Permission denied", KindAuth, true},
		"unknown key": {"gate:" + itoa(other.port), "", "host key unknown", KindHostKeyUnknown, true},
		"name":        {"no-such-host.invalid", "", "resolve", KindUnreachable, true},
		"itself":      {"127.0.0.1:" + itoa(s.port), "", "", KindUnreachable, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := s.pool(Config{ConnectTimeout: secondsOf(2), ConfigFile: s.with("Host gate\nHostName 127.0.0.1\nHost *")})
			target := s.target()
			if name == "itself" {
				// ssh goes round in circles, or not: what matters is that we come back.
				target.User = ""
				if _, err := p.Connect(t.Context(), Target{Host: "127.0.0.1", Port: s.port, Options: []string{"ProxyJump=" + c.jump}}); err != nil {
					t.Log(err)
				}
				return
			}
			target.Options = []string{"ProxyJump=" + c.jump}
			_, err := p.Connect(t.Context(), target)
			var e *Error
			if !errors.As(err, &e) || e.Kind != c.kind || e.Jump.Host == "" || e.Target.Port != s.port || !e.NotStarted || e.Hint == "" ||
				!strings.Contains(err.Error(), "jump host ") || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v\n%+v", err, e)
			}
		})
	}
}

// A host behind a jump host that works is not blamed on that.
func TestHostBehindJumpHostFails(t *testing.T) {
	gate := startSSHD(t)
	full := startSSHD(t, "MaxStartups 1:100:1")
	gate.write("known", gate.read("known")+full.read("known"))
	full.write("authorized", gate.read("user.pub"))
	p := gate.pool(Config{})
	target := gate.target()
	target.Options, target.Port = []string{"ProxyJump=" + target.String()}, freePort(t)
	_, err := p.Connect(t.Context(), target)
	var e *Error
	if !errors.As(err, &e) || e.Kind != KindUnreachable || e.Jump.Host != "" || !strings.Contains(err.Error(), "forwarding request failed") ||
		!strings.Contains(e.Hint, "cannot reach it") || p.Stats().Handshakes != 2 {
		t.Errorf("refused: %v\n%+v", err, e)
	}
	// One that turns connections away is tried again, as without a jump host.
	l, err := net.Dial("tcp", "127.0.0.1:"+itoa(full.port))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if _, err := bufio.NewReader(l).ReadString('\n'); err != nil { // its greeting: it counts
		t.Fatal(err)
	}
	target.Port = full.port
	_, err = p.Connect(t.Context(), target)
	if !errors.As(err, &e) || e.Kind != KindUnreachable || !strings.Contains(e.Hint, "before the log-in") || p.Stats().Handshakes != 2+startTries {
		t.Errorf("busy: %v\n%+v %+v", err, e, p.Stats())
	}
	direct := full.pool(Config{ConfigFile: gate.config})
	dropped := func() int { return strings.Count(full.logged(), "drop connection #") }
	before := dropped()
	go func() {
		eventually(t, "a try in vain", func() bool { return dropped() > before })
		_ = l.Close()
	}()
	if _, err := direct.Connect(t.Context(), full.target()); err != nil {
		t.Errorf("%v\n%+v", err, err)
	}
}

// A jump host's master that leads nowhere is found out and replaced, by whoever
// needs it first.
func TestHalfDeadJumpHostIsReplaced(t *testing.T) {
	noLeaks(t)
	gate, inner := startSSHD(t), startSSHD(t)
	gate.write("known", gate.read("known")+inner.read("known"))
	inner.write("authorized", gate.read("user.pub"))
	dir := shortDir(t)
	config := Config{Dir: dir, ConfigFile: gate.config, ConnectTimeout: secondsOf(1)}
	first := gate.connect(gate.pool(config))
	output(t, first, Cmd{Argv: []string{"true"}})
	old := masterPID(t, first)
	silent := gate.silence()
	p := gate.pool(config)
	target := inner.target()
	target.Options = []string{"ProxyJump=" + gate.target().String()}
	c, err := p.Connect(t.Context(), target)
	if err != nil {
		t.Fatalf("%v\n%+v", err, err)
	}
	output(t, c, Cmd{Argv: []string{"true"}})
	if got := p.Stats().Handshakes; got != 3 {
		t.Errorf("%d handshakes, want 2 at the host and 1 at the jump host", got)
	}
	for _, pid := range silent {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	awaitEnd(t, old)
}

// silence stops the processes that serve the connections there are.
func (s *sshd) silence() (pids []int) {
	eventually(s.t, "sshd to be stopped", func() bool {
		pids = s.children()
		stopped := 0
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGSTOP)
			if _, _, state, ok := readStat(filepath.Join("/proc", itoa(pid), "stat")); ok && state == "T" {
				stopped++
			}
		}
		return stopped > 0 && stopped == len(pids)
	})
	return pids
}

func TestParseJump(t *testing.T) {
	for value, want := range map[string]Target{
		"gate":                  {Host: "gate"},
		"me@gate:2222":          {Host: "gate", User: "me", Port: 2222},
		"me@corp@gate":          {Host: "gate", User: "me@corp"},
		"[fe80::1]:22":          {Host: "fe80::1", Port: 22},
		"[10.0.0.1]":            {Host: "10.0.0.1"},
		"a@b:1,c":               {Host: "c", Options: []string{"ProxyJump=a@b:1"}},
		"ssh://a@b:1,c,d@e:222": {Host: "e", User: "d", Port: 222, Options: []string{"ProxyJump=ssh://a@b:1,c"}},
	} {
		got, ok := parseJump(value)
		if !ok || got.String() != want.String() || !slices.Equal(got.Options, want.Options) {
			t.Errorf("%s: %+v", value, got)
		}
	}
	for _, bad := range []string{"", "none", "%h", "a,%h", "a b", "-oX", "gate:", "gate:x", "[::1", "[::1]x", "ssh://a@b:1", "$(id)", "a;b", "gate:0", "gate:99999"} {
		if got, ok := parseJump(bad); ok {
			t.Errorf("%q: %+v", bad, got)
		}
	}
}

// Whatever ssh prints, only a target that is safe to use comes of it.
func TestParseJumpIsSafe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		target, ok := parseJump(rapid.OneOf(rapid.String(), rapid.StringMatching(`([a-z%$;]*@)?\[?[a-z:.-]+\]?(:[0-9]+)?(,[a-z-]+)?`)).Draw(t, "value"))
		if ok && target.Validate() != nil {
			t.Fatalf("%+v", target)
		}
	})
}

func TestProxyCommandQuotes(t *testing.T) {
	r := &route{host: &host{sock: "/s/k", target: Target{Host: "fe80::1%eth0", User: "me", Port: 22}}}
	got := strings.Join(r.proxy(Config{Program: "/a b/ssh"}, "/s/k.log"), "\n")
	if !strings.HasPrefix(got, "ProxyCommand='/a b/ssh' -E /s/k.log -o ") || !strings.HasSuffix(got, " -l me -p 22 -W '[%h]:%p' -- 'fe80::1%%eth0'") || strings.Contains(got, "\n") {
		t.Error(got)
	}
}

// The user's own masters are neither used nor ended, whatever ssh_config says.
func TestUsersOwnMastersAreLeftAlone(t *testing.T) {
	s := startSSHD(t)
	mine := filepath.Join(shortDir(t), "mine")
	lines := "Host *\nControlPath " + mine + "\nControlMaster auto\nControlPersist yes\nHost *"
	config := Config{Dir: shortDir(t), ConfigFile: s.with(lines), Persist: -1}
	own := masterArgs(Config{Program: "ssh", ConfigFile: config.ConfigFile}, s.target(), nil, mine, os.DevNull)
	localRun(t, own)
	pid, err := muxPID(t.Context(), mine)
	if err != nil {
		t.Fatal(err)
	}
	p := s.pool(config)
	c := s.connect(p)
	output(t, c, Cmd{Argv: []string{"true"}})
	if _, err := c.Fresh(t.Context(), Cmd{Argv: []string{"true"}}); err != nil {
		t.Error(err)
	}
	if n := s.logins(); n != 3 {
		t.Errorf("%d log-ins, want the user's, the pool's and that of Fresh", n)
	}
	if _, _, err := p.DisconnectAll(t.Context()); err != nil {
		t.Error(err)
	}
	if err := errors.Join(c.Close(t.Context()), p.Close(t.Context())); err != nil {
		t.Error(err)
	}
	if now, err := muxPID(t.Context(), mine); err != nil || now != pid {
		t.Errorf("the user's master is gone: %v", err)
	}
	if err := muxEnd(t.Context(), mine, pid, false); err != nil {
		t.Error(err)
	}
	awaitEnd(t, pid)
}
