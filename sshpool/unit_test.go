package sshpool

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/nixflotilla/flotilla/internal/proc"
)

func TestQuoteRoundTripsThroughTheShell(t *testing.T) {
	word := rapid.Custom(func(t *rapid.T) string {
		b := rapid.SliceOfN(rapid.ByteRange(1, 255), 0, 12).Draw(t, "bytes")
		return string(b)
	})
	tricky := rapid.SampledFrom([]string{"'", `\`, `\'`, "''", "$(id)", "`id`", "\n", "", "-n", "a b", "*", "~", "!", "#", "x=y"})
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.OneOf(word, tricky), 1, 20).Draw(t, "words")
		script := `for a in ` + Quote(words...) + `; do printf '%s\000' "$a"; done`
		res, err := proc.Run(t.Context(), proc.Cmd{Argv: []string{"/bin/sh", "-c", script}})
		if want := strings.Join(words, "\x00") + "\x00"; err != nil || string(res.Stdout) != want {
			t.Fatalf("%v\n got %q\nwant %q", err, res.Stdout, want)
		}
	})
}

func TestQuoteLeavesPlainWordsAlone(t *testing.T) {
	got, want := Quote("/bin/ls", "-l", "a:b@c", "x=y", "", "it's"), `/bin/ls -l a:b@c 'x=y' '' 'it'\''s'`
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTargetValidate(t *testing.T) {
	for _, good := range []Target{
		{Host: "p620"},
		{Host: "10.0.0.1", User: "root", Port: 22},
		{Host: "fe80::1%eth0"},
		{Host: "h", User: "me@corp", Options: []string{"ProxyJump=a@b:22,c", "IdentityFile=~/.ssh/%h", "SetEnv=A=b"}},
	} {
		if err := good.Validate(); err != nil {
			t.Errorf("%v: %v", good, err)
		}
	}
	for _, bad := range []Target{
		{},
		{Host: "-oProxyCommand=id"},
		{Host: "a b"}, {Host: "a\n"}, {Host: "a\x00"}, {Host: "$(id)"}, {Host: "a;b"}, {Host: "root@h"}, {Host: "ssh://h"}, {Host: "ü"},
		{Host: "h", User: "-l"}, {Host: "h", User: "a b"}, {Host: "h", User: "`id`"},
		{Host: "h", Port: -1}, {Host: "h", Port: 65536},
		{Host: "h", Options: []string{""}},
		{Host: "h", Options: []string{"-F"}},
		{Host: "h", Options: []string{"NoValue="}},
		{Host: "h", Options: []string{"User=a b"}},
		{Host: "h", Options: []string{"User=a\nProxyCommand=id"}},
		{Host: "h", Options: []string{"proxycommand=id"}},
		{Host: "h", Options: []string{"CONTROLPATH=/x"}},
		{Host: "h", Options: []string{"IdentityFile=$(id)"}},
	} {
		var e *Error
		if err := bad.Validate(); !errors.As(err, &e) || e.Kind != KindConfig || !e.NotStarted || e.Hint == "" {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// Whatever passes validation must stay one operand of ssh and one word of shell.
func FuzzTargetValidate(f *testing.F) {
	f.Add("host", "user", "ProxyJump=x")
	f.Add("-oX", "$(id)", "A=b c")
	f.Fuzz(func(t *testing.T, host, user, option string) {
		target := Target{Host: host, User: user, Options: []string{option}}
		if target.Validate() != nil {
			return
		}
		for _, s := range []string{host, user, option} {
			if strings.HasPrefix(s, "-") || strings.ContainsAny(s, " \t\r\n\x00'\"`\\;&|<>()") || strings.Contains(s, "$(") {
				t.Errorf("%q is valid", s)
			}
		}
	})
}

func TestTargetString(t *testing.T) {
	for want, target := range map[string]Target{
		"h":               {Host: "h"},
		"u@h:22":          {Host: "h", User: "u", Port: 22},
		"u@[fe80::1]:222": {Host: "fe80::1", User: "u", Port: 222},
	} {
		if got := target.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// The kind is the first part of the fixture's name; failure_test.go says how
// the fixtures are made.
func TestClassifyRecordedMessages(t *testing.T) {
	files, err := filepath.Glob("testdata/openssh-*/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d := classify(string(text))
		if !strings.HasPrefix(filepath.Base(file), kindNames[d.kind]+"-") || d.hint == "" {
			t.Errorf("%s: %v", file, d.kind)
		}
	}
}

func TestSessionEnding(t *testing.T) {
	const reached = "debug2: mux_client_hello_exchange: master version 4\r\n"
	for name, c := range map[string]struct {
		log, stderr string
		want        ending
	}{
		"status":          {reached + "debug1: mux_client_request_session: master session id: 2\r\ndebug2: Received exit status from master 255\r\n", "", endStatus},
		"lost":            {reached + "debug1: mux_client_request_session: master session id: 2\r\ndebug2: Control master terminated unexpectedly\r\n", "", endUnclear},
		"unanswered":      {reached + "mux_client_request_session: read from master failed: Broken pipe\r\ndebug1: Executing proxy command: exec false\r\n", "", endUnclear},
		"gone":            {"debug1: Executing proxy command: exec false\r\n", "", endNotBegun},
		"greeting failed": {"mux_client_request_session: read from master failed: Broken pipe\r\nmuxclient: master hello exchange failed\r\ndebug1: Executing proxy command: exec false\r\n", "", endNotBegun},
		"refused":         {reached + "mux_client_request_session: session request failed: Session open refused by peer\r\ndebug1: Executing proxy command: exec false\r\n", "", endRefused},
		"configuration":   {"", "/x: line 1: Bad configuration option: y\r\n", endMisconfigured},
		"remote says so":  {reached, "/x: line 1: Bad configuration option: y\r\n", endUnclear},
		"nothing known":   {"", "", endUnclear},
	} {
		if got := sessionEnding(c.log, c.stderr); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestMessagesDropsDebugging(t *testing.T) {
	log := "OpenSSH_9.2p1\r\ndebug1: a\r\nssh: b\r\ndebug2: c\r\nTransferred: sent 1\r\n"
	if got := messages(log); got != "OpenSSH_9.2p1\nssh: b" {
		t.Errorf("%q", got)
	}
}

// A host that refuses was explained by four lines, of which two were about how we connect.
func TestMessagesSayWhySocketProgramFailed(t *testing.T) {
	passed := "mm_receive_fd: recvmsg: expected received 1 got 0\r\nproxy dialer did not pass back a connection\r\n"
	const refused = "ssh: connect to host h port 22: Connection refused"
	if got := messages(refused + "\n" + passed); got != refused {
		t.Errorf("%q", got)
	}
	if got := messages(passed); !unpassed(got) { // then ssh is to tell
		t.Errorf("%q", got)
	}
}

func FuzzClassify(f *testing.F) {
	f.Add("ssh: connect to host h port 22: Connection refused\r\n")
	f.Add("debug1: Exit status -1\r\n")
	f.Fuzz(func(t *testing.T, log string) {
		if d := classify(messages(log)); d.hint == "" {
			t.Error("no hint")
		}
		_ = tellingLine(log)
		_, _ = freshExit(log)
		_ = sessionEnding(log, log)
	})
}

func FuzzReadPacket(f *testing.F) {
	f.Add([]byte{0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 4})
	f.Add([]byte{255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, data []byte) {
		packet, err := readPacket(bytes.NewReader(data))
		if err == nil && (len(packet) < 4 || len(packet) > muxMaxPacket || !bytes.Equal(packet, data[4:4+len(packet)])) {
			t.Errorf("%d bytes of %d", len(packet), len(data))
		}
	})
}

func TestSocketDirectory(t *testing.T) {
	base := shortDir(t)
	made := filepath.Join(base, "a", "b")
	if got, err := prepareDir(made); err != nil || got != made {
		t.Fatalf("%q %v", got, err)
	}
	if info, err := os.Stat(filepath.Dir(made)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	open := filepath.Join(base, "open")
	link := filepath.Join(base, "link")
	file := filepath.Join(base, "file")
	below := filepath.Join(base, "shared", "dir")
	if err := errors.Join(os.Mkdir(open, 0o700), os.Chmod(open, 0o755), os.Symlink(made, link), os.WriteFile(file, nil, 0o600),
		os.MkdirAll(below, 0o700), os.Chmod(filepath.Dir(below), 0o777)); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{open, link, file, below, base + "/sp ace", base + "/q'uote", base + "/%h", base + "/$HOME",
		filepath.Join(base, strings.Repeat("long", 20))} {
		var e *Error
		if _, err := New(Config{Dir: bad}); !errors.As(err, &e) || e.Kind != KindConfig || e.Hint == "" {
			t.Errorf("%s: %v", bad, err)
		}
	}
	// A link of our own is followed once, and not again.
	if p, err := New(Config{Dir: filepath.Join(link, "in")}); err != nil || p.config.Dir != filepath.Join(made, "in") {
		t.Errorf("through a link: %v", err)
	}
	if os.Geteuid() == 0 {
		theirs := filepath.Join(base, "theirs")
		if err := errors.Join(os.Symlink(made, theirs), os.Lchown(theirs, 12345, 12345)); err != nil {
			t.Fatal(err)
		}
		if _, err := New(Config{Dir: filepath.Join(theirs, "ssh")}); err == nil || !strings.Contains(err.Error(), "symbolic link of user 12345") {
			t.Errorf("another user's link: %v", err)
		}
		foreign := filepath.Join(base, "foreign")
		if err := errors.Join(os.Mkdir(foreign, 0o700), os.Chown(foreign, 12345, 12345)); err != nil {
			t.Fatal(err)
		}
		if _, err := New(Config{Dir: foreign}); err == nil {
			t.Error("another user's directory was accepted")
		}
	}
}

func TestConfigFileMustNeedNoQuoting(t *testing.T) {
	if _, err := New(Config{Dir: shortDir(t), ConfigFile: "/a b"}); err == nil {
		t.Error("accepted")
	}
}

func TestSocketIsNamedByAllThatMatters(t *testing.T) {
	base := Target{Host: "h", User: "u", Port: 1, Options: []string{"A=b"}}
	p := &Pool{}
	seen := map[string]Target{p.key(base): base}
	for _, other := range []Target{{Host: "h2", User: "u", Port: 1, Options: []string{"A=b"}}, {Host: "h", Port: 1, Options: []string{"A=b"}},
		{Host: "h", User: "u", Port: 2, Options: []string{"A=b"}}, {Host: "h", User: "u", Port: 1}} {
		key := p.key(other)
		if _, ok := seen[key]; ok || len(key) != socketNameLen {
			t.Errorf("%v: %s", other, key)
		}
		seen[key] = other
	}
	for _, c := range []Config{{Program: "x"}, {ConfigFile: "/x"}, {HostKeys: AcceptNew}} {
		if (&Pool{config: c}).key(base) == p.key(base) {
			t.Errorf("%+v does not matter", c)
		}
	}
	if (&Pool{secret: "x"}).key(base) == p.key(base) {
		t.Error("a pool's own masters are not its own")
	}
}

func TestEnvironment(t *testing.T) {
	got := strings.Join(environment([]string{"A=b", "LC_ALL=de", "SSH_ASKPASS_REQUIRE=never"}), " ")
	if want := "A=b LC_ALL=C SSH_ASKPASS=false SSH_ASKPASS_REQUIRE=force"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for shell, want := range map[string]string{
		"/usr/sbin/nologin": "/bin/sh", "/bin/false": "/bin/sh", "/no/such/shell": "/bin/sh", "/bin/sh": "/bin/sh", "": "", "sh": "sh",
	} {
		if got := environment([]string{"SHELL=" + shell}); !slices.Contains(got, "SHELL="+want) || len(got) != 4 {
			t.Errorf("%s: got %q", shell, got)
		}
	}
}
