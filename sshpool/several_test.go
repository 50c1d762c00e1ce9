package sshpool

import (
	"os"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// One nix rides several masters by their names, and no other host is reached; a second call
// makes nothing new. A master that has ended is seen to have gone.
func TestNixRidesSeveralMasters(t *testing.T) {
	s := startSSHD(t)
	p := s.pool(Config{})
	one := s.connect(p)
	other := s.target()
	other.Options = append(other.Options, "ServerAliveInterval=7")
	two, err := p.Connect(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	opts, err := p.NixSSHOptsFor(map[string]*Conn{"one": one, "two.lan": two})
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(p.config.Dir)
	if again, againErr := p.NixSSHOptsFor(map[string]*Conn{"two.lan": two, "one": one}); again != opts || againErr != nil || err != nil {
		t.Errorf("%s and %s, %v", opts, again, againErr)
	}
	if now, err := os.ReadDir(p.config.Dir); err != nil || len(now) != len(entries) {
		t.Errorf("%d entries, then %d", len(entries), len(now))
	}
	reaches := func(name string) bool {
		argv := append(append([]string{"ssh", name, "-x"}, strings.Fields(opts)...), "--", "echo", "hello")
		res, err := proc.Run(t.Context(), proc.Cmd{Argv: argv})
		return err == nil && string(res.Stdout) == "hello\n"
	}
	if !reaches("one") || !reaches("two.lan") || reaches("127.0.0.1") || s.logins() != 2 {
		t.Errorf("one %t, two %t, any other %t, %d log-ins", reaches("one"), reaches("two.lan"), reaches("127.0.0.1"), s.logins())
	}
	if one.Gone(t.Context()) || two.Gone(t.Context()) {
		t.Error("nothing has gone yet")
	}
	if err := muxEnd(t.Context(), one.host.sock, masterPID(t, one), false); err != nil {
		t.Fatal(err)
	}
	if reaches("one") || !reaches("two.lan") || !one.Gone(t.Context()) || two.Gone(t.Context()) {
		t.Error("the master of one was ended, and that of two was not")
	}
	// Another master does not bring back what rode on the first.
	if _, err := one.Run(t.Context(), Cmd{Argv: []string{"true"}}); err != nil || !one.Gone(t.Context()) || !reaches("one") {
		t.Errorf("once more: %v, gone %t", err, one.Gone(t.Context()))
	}
	for _, bad := range []string{"", "../x", "-x", ".x", "a b", "a/b", "%h", strings.Repeat("x", 120)} {
		if opts, err := p.NixSSHOptsFor(map[string]*Conn{bad: one}); err == nil {
			t.Errorf("%q: %s", bad, opts)
		}
	}
}

// On another machine ssh is by itself: with no agent of ours, no options that are about the
// way from here, and host keys checked.
func TestOnward(t *testing.T) {
	to := Target{Host: "h", User: "u", Port: 2222, Options: []string{"ProxyJump=gate"}}
	argv, err := OnwardArgs(to, "cat", "/a b")
	line := strings.Join(argv, " ")
	if err != nil || !strings.HasSuffix(line, "-l u -p 2222 -- h cat '/a b'") {
		t.Errorf("%s, %v", line, err)
	}
	opts, err := OnwardNixSSHOpts(to)
	if err != nil || !strings.HasSuffix(opts, " -p 2222") {
		t.Errorf("%s, %v", opts, err)
	}
	for _, text := range []string{line, opts} {
		for _, want := range []string{"ForwardAgent=no", "BatchMode=yes", "StrictHostKeyChecking=yes", "ControlPath=none", "ConnectTimeout="} {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %s", text, want)
			}
		}
		if strings.Contains(text, "gate") {
			t.Errorf("%s goes by a way from here", text)
		}
	}
	if _, err := OnwardArgs(Target{Host: "-x"}, "true"); err == nil {
		t.Error("an option is no host")
	}
	if _, err := OnwardNixSSHOpts(Target{Host: "h", User: "-x"}); err == nil {
		t.Error("an option is no user")
	}
}
