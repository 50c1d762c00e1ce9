package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// real skips what boots machines, unless it can and may.
func real(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("boots containers and, at first, builds an image: not with -short")
	}
	if os.Geteuid() != 0 {
		t.Skip("containers need root")
	}
}

// testConfig is a lab of this test process's own, which is removed at the end.
// It uses the cache's images, as every lab does, and leaves them there.
func testConfig(t *testing.T, suffix string) Config {
	t.Helper()
	repo, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{
		Name: "test-" + strconv.Itoa(os.Getpid()) + "-" + suffix,
		Repo: repo,
		Log:  func(line string) { t.Log(line) },
	}
	t.Cleanup(func() {
		if err := Down(context.Background(), cfg, DownOptions{KeepImage: true}); err != nil {
			t.Error(err)
		}
		for _, trace := range traces(t, cfg.Name) {
			t.Errorf("left behind: %s", trace)
		}
	})
	return cfg
}

// traces lists everything on this machine that bears a lab's name.
func traces(t *testing.T, id string) []string {
	t.Helper()
	var found []string
	add := func(kind, text string) {
		if strings.Contains(text, id) {
			found = append(found, kind+" "+text)
		}
	}
	table, err := mountTable()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range table {
		add("mount", m.point)
	}
	path, err := newLayout(Config{Name: id})
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{
		"/run/netns/*", "/sys/class/net/*", "/run/systemd/nspawn/*/*", path.labs() + "/*",
		"/sys/fs/cgroup/*", "/sys/fs/cgroup/*/*",
	} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			add("file", name)
		}
	}
	for kind, pattern := range map[string]string{
		"process":     "/proc/[0-9]*/cmdline",
		"loop device": "/sys/block/loop*/loop/backing_file",
	} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err == nil && !strings.Contains(name, "/"+strconv.Itoa(os.Getpid())+"/") {
				add(kind, strings.ReplaceAll(string(data), "\x00", " "))
			}
		}
	}
	return found
}

func mustUp(t *testing.T, cfg Config) *Lab {
	t.Helper()
	l, err := Up(t.Context(), cfg)
	if err != nil {
		var hinted interface{ Hint() string }
		if errors.As(err, &hinted) {
			t.Log(hinted.Hint())
		}
		t.Fatal(err)
	}
	return l
}

// try fails the test, but not at once, so that a fault is still taken back.
func try(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// sh runs a shell text in a machine and returns what it printed.
func sh(t *testing.T, l *Lab, host, text string) (string, error) {
	t.Helper()
	res, err := l.Exec(t.Context(), ExecOptions{Host: host, Argv: []string{"sh", "-c", text}})
	return strings.TrimSpace(string(res.Stdout)), err
}

func mustSh(t *testing.T, l *Lab, host, text string) string {
	t.Helper()
	out, err := sh(t, l, host, text)
	if err != nil {
		t.Fatalf("%s: %s: %v", host, text, err)
	}
	return out
}

const bootID = "cat /proc/sys/kernel/random/boot_id"

func TestLab(t *testing.T) {
	real(t)
	cfg := testConfig(t, "a")
	if _, err := Open(t.Context(), cfg); !errors.Is(err, ErrNotRunning) {
		t.Errorf("before Up: %v, want ErrNotRunning", err)
	}
	cfg.Flotilla = filepath.Join(t.TempDir(), "flotilla")
	writeProgram(t, cfg.Flotilla, "echo one", time.Unix(1_000_000, 0))
	l := mustUp(t, cfg)

	for name, test := range map[string]func(*testing.T, *Lab){
		"status":       testStatus,
		"up again":     testUpAgain,
		"exec":         testExec,
		"exec cancel":  testExecCancel,
		"flotilla":     testFlotilla,
		"ssh":          testSSH,
		"power":        testPower,
		"reboot":       testReboot,
		"cut":          testCut,
		"latency":      testLatency,
		"bandwidth":    testBandwidth,
		"disk":         testDisk,
		"compat":       testCompat,
		"two labs":     testTwoLabs,
		"nonsense":     testNonsense,
		"many at once": testManyAtOnce,
	} {
		if !t.Run(name, func(t *testing.T) { test(t, l) }) {
			for _, m := range Machines() {
				t.Logf("%s: %s", m, l.lastWords(m))
			}
		}
	}
	// Last, since what it leaves would be a poor basis for the others.
	t.Run("crash", func(t *testing.T) { testCrash(t, l) })
}

func testStatus(t *testing.T, l *Lab) {
	s, err := l.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != l.cfg.Name || s.Image == "" || s.Dir != l.Dir() || len(s.Machines) != len(Machines()) {
		t.Errorf("got %+v", s)
	}
	for i, m := range s.Machines {
		if m.Name != Machines()[i] || !m.Running || m.System != "running" || m.Address != l.Address(m.Name) ||
			m.Uptime <= 0 || m.StoreFree <= 0 || m.Cut || m.Latency != 0 || m.Bandwidth != 0 || m.DiskFilled {
			t.Errorf("got %+v", m)
		}
	}
}

func testUpAgain(t *testing.T, l *Lab) {
	before := make(map[string]string)
	for _, m := range Machines() {
		before[m] = mustSh(t, l, m, bootID)
	}
	mustSh(t, l, Control, "echo edited >>fleet.toml")
	try(t, l.PowerOff(t.Context(), "p510"))
	again := mustUp(t, l.cfg)
	for _, m := range Machines() {
		rebooted := mustSh(t, again, m, bootID) != before[m]
		if want := m == "p510"; rebooted != want {
			t.Errorf("%s: rebooted: %v, want %v", m, rebooted, want)
		}
	}
	if out := mustSh(t, again, Control, "git status --porcelain"); out != "M fleet.toml" {
		t.Errorf("the edit is gone: git status says %q", out)
	}
	mustSh(t, again, Control, "git checkout --quiet fleet.toml")
}

func testExec(t *testing.T, l *Lab) {
	t.Setenv("SECRET_OF_THIS_PROCESS", "x")
	var lines []string
	res, err := l.Exec(t.Context(), ExecOptions{
		Argv:   []string{"sh", "-c", "pwd; env; cat; echo $0 $1 >&2; exit 3", "a=b", "two words; $(id)"},
		Env:    []string{"EXTRA=given", "LANG=C"},
		Stdin:  strings.NewReader("from stdin\n"),
		Stdout: func(line string) { lines = append(lines, line) },
	})
	var failed *proc.Error
	if !errors.As(err, &failed) || failed.Code != 3 || failed.Argv[0] != "sh" || res.Code != 3 {
		t.Errorf("got %+v, want exit code 3 of sh", err)
	}
	out := string(res.Stdout)
	if strings.Join(lines, "\n")+"\n" != out {
		t.Errorf("lines %q, but stdout %q", lines, out)
	}
	for _, want := range []string{FleetDir + "\n", "HOME=/root\n", "EXTRA=given\n", "LANG=C\n", "from stdin\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if strings.Contains(out, "SECRET") {
		t.Error("it sees this process's environment")
	}
	if got := string(res.Stderr); got != "a=b two words; $(id)\n" {
		t.Errorf("arguments arrived as %q", got)
	}
	if out := mustSh(t, l, "razer", "pwd; hostname"); out != "/root\nrazer" {
		t.Errorf("got %q", out)
	}
	_, err = l.Exec(t.Context(), ExecOptions{Argv: []string{"no-such-program"}})
	if !errors.As(err, &failed) || failed.Code != 127 {
		t.Errorf("got %v, want exit code 127", err)
	}
}

// Cancelling interrupts the command itself and lets it finish.
func testExecCancel(t *testing.T, l *Lab) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	res, err := l.Exec(ctx, ExecOptions{
		Argv: []string{"bash", "-c", `trap 'sleep 0.2; echo interrupted; exit 5' INT; echo ready; while :; do sleep 0.05; done`},
		Stdout: func(line string) {
			if line == "ready" {
				cancel()
			}
		},
	})
	if !errors.Is(err, context.Canceled) || res.Code != 5 || !strings.Contains(string(res.Stdout), "interrupted") {
		t.Errorf("code %d, %v, stdout %q", res.Code, err, res.Stdout)
	}
}

func writeProgram(t *testing.T, path, text string, at time.Time) {
	t.Helper()
	err := errors.Join(
		os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o600),
		os.Chtimes(path, at, at),
	)
	if err != nil {
		t.Fatal(err)
	}
}

func testFlotilla(t *testing.T, l *Lab) {
	if out := mustSh(t, l, Control, "flotilla"); out != "one" {
		t.Errorf("got %q", out)
	}
	writeProgram(t, l.cfg.Flotilla, "echo two", time.Unix(2_000_000, 0))
	if out := mustSh(t, l, Control, "flotilla"); out != "two" {
		t.Errorf("after it was replaced: got %q", out)
	}
	if _, err := sh(t, l, "p620", "command -v flotilla"); err == nil {
		t.Error("p620 has it too")
	}
}

func testSSH(t *testing.T, l *Lab) {
	for _, m := range Machines() {
		for _, host := range []string{m, l.Address(m)} {
			for user, sudo := range map[string]string{"root": "root", "deploy": "root", "guest": "refused"} {
				out := mustSh(t, l, Control, fmt.Sprintf(
					"ssh -o BatchMode=yes -o StrictHostKeyChecking=yes %s@%s 'hostname; id -un; sudo -n id -un 2>/dev/null || echo refused'", user, host))
				if want := m + "\n" + user + "\n" + sudo; out != want {
					t.Errorf("%s@%s: got %q, want %q", user, host, out, want)
				}
			}
		}
	}
	for user, trusted := range map[string]string{"root": "1", "deploy": "1", "guest": "0"} {
		out := mustSh(t, l, Control, "nix store info --json --store ssh-ng://"+user+"@p620")
		if !strings.Contains(out, `"trusted":`+trusted) {
			t.Errorf("%s: nix says %s, want trusted %s", user, out, trusted)
		}
	}
	if out := mustSh(t, l, "p620", "stat -c %a /etc/ssh/ssh_host_ed25519_key /root/.ssh /root/.ssh/authorized_keys"); out != "600\n700\n600" {
		t.Errorf("modes %q", out)
	}
}

func testPower(t *testing.T, l *Lab) {
	before := mustSh(t, l, "dex5550", bootID+"; echo kept >/root/kept; echo kept >/nix/kept")
	// A connection that p620's end must not get to close.
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = l.Exec(ctx, ExecOptions{
			Argv:   []string{"ssh", "dex5550", "echo ready; sleep 600"},
			Stdout: func(string) { close(ready) },
		})
	}()
	select {
	case <-ready:
	case <-ended:
		t.Fatal("no connection")
	}
	try(t, l.PowerOff(t.Context(), "dex5550"))
	if out := mustSh(t, l, Control, "ss -Htn state established dst "+l.Address("dex5550")); out == "" {
		t.Error("the peer was told")
	}
	if _, err := sh(t, l, "dex5550", "true"); !errors.Is(err, ErrOff) {
		t.Errorf("exec: %v, want ErrOff", err)
	}
	if _, err := sh(t, l, Control, "ssh -o ConnectTimeout=1 dex5550 true"); err == nil {
		t.Error("it still answers")
	}
	s, err := l.Status(t.Context())
	if err != nil || s.Machines[4].Running || s.Machines[4].System != "" {
		t.Errorf("%+v, %v", s.Machines[4], err)
	}
	try(t, l.PowerOff(t.Context(), "dex5550"))
	try(t, l.PowerOn(t.Context(), "dex5550"))
	try(t, l.PowerOn(t.Context(), "dex5550"))
	cancel()
	<-ended
	after := mustSh(t, l, Control, "ssh dex5550 '"+bootID+"; cat /root/kept /nix/kept'")
	if id, _, _ := strings.Cut(after, "\n"); id == before || !strings.HasSuffix(after, "kept\nkept") {
		t.Errorf("before %q, after %q", before, after)
	}
}

// A machine that reboots by itself comes back, one that shuts down does not.
func testReboot(t *testing.T, l *Lab) {
	before := mustSh(t, l, "p510", bootID)
	_, _ = sh(t, l, "p510", "systemctl reboot")
	waitFor(t, func() bool {
		id, err := sh(t, l, "p510", bootID+" && systemctl is-system-running --wait")
		return err == nil && !strings.HasPrefix(id, before)
	})
	_, _ = sh(t, l, "p510", "systemctl poweroff")
	waitFor(t, func() bool {
		_, err := sh(t, l, "p510", "true")
		return errors.Is(err, ErrOff)
	})
	try(t, l.PowerOn(t.Context(), "p510"))
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for !done() {
		if err := pause(t.Context(), pollInterval); err != nil {
			t.Fatal(err)
		}
	}
}

// A connection outlives a cut: what was sent meanwhile arrives afterwards.
func testCut(t *testing.T, l *Lab) {
	stdin, send := io.Pipe()
	lines, ended := make(chan string, 10), make(chan error, 1)
	go func() {
		_, err := l.Exec(t.Context(), ExecOptions{
			Argv: []string{"ssh", "razer", "cat"}, Stdin: stdin, Stdout: func(line string) { lines <- line },
		})
		ended <- err
	}()
	say := func(line string) {
		if _, err := io.WriteString(send, line+"\n"); err != nil {
			t.Error(err)
		}
	}
	say("before")
	select {
	case <-lines:
	case err := <-ended:
		t.Fatal(err)
	}
	try(t, l.Cut(t.Context(), "razer"))
	say("during")
	if _, err := sh(t, l, Control, "ssh -o ConnectTimeout=1 razer true"); err == nil {
		t.Error("it can be reached")
	}
	if s, err := l.Status(t.Context()); err != nil || !s.Machines[2].Cut {
		t.Errorf("%+v, %v", s.Machines[2], err)
	}
	select {
	case line := <-lines:
		t.Errorf("%q came through", line)
	default:
	}
	try(t, l.PowerOn(t.Context(), "razer")) // is on; must not restore the link
	try(t, l.Restore(t.Context(), "razer"))
	if line := <-lines; line != "during" {
		t.Errorf("got %q", line)
	}
	try(t, send.Close())
	try(t, <-ended)
}

// connectTime is the shortest of several TCP handshakes, one round trip each.
func connectTime(t *testing.T, l *Lab, host string) time.Duration {
	t.Helper()
	out := mustSh(t, l, Control, `for i in 1 2 3 4 5; do
  bash -c 's=${EPOCHREALTIME/./}; exec 3<>/dev/tcp/`+l.Address(host)+`/22; e=${EPOCHREALTIME/./}; echo $((e - s))'
done | sort -n | head -n 1`)
	us, err := strconv.Atoi(out)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(us) * time.Microsecond
}

func testLatency(t *testing.T, l *Lab) {
	const rtt = 120 * time.Millisecond
	t.Logf("without: %s", connectTime(t, l, "p620"))
	try(t, l.Latency(t.Context(), "p620", rtt))
	measured := connectTime(t, l, "p620")
	t.Logf("with %s: %s", rtt, measured)
	if measured < rtt {
		t.Errorf("a handshake took %s, less than %s", measured, rtt)
	}
	// In both directions, with frames of every size, nothing is damaged.
	mustSh(t, l, Control, `set -e
head -c 8000000 /dev/urandom >/tmp/data
test "$(ssh p620 sha256sum </tmp/data)" = "$(sha256sum </tmp/data)"
ssh p620 'cat >/tmp/data' </tmp/data
test "$(ssh p620 cat /tmp/data | sha256sum)" = "$(sha256sum </tmp/data)"`)

	// A second relay does not disturb the first.
	try(t, l.Latency(t.Context(), "p510", time.Millisecond))
	mustSh(t, l, Control, "ssh p510 true && ssh p620 true")
	try(t, l.Latency(t.Context(), "p510", 0))

	// What is lost is sent again.
	try(t, l.Loss(t.Context(), "p510", 5))
	mustSh(t, l, Control, `test "$(head -c 200000 /dev/zero | ssh p510 'cat | sha256sum')" = "$(head -c 200000 /dev/zero | sha256sum)"`)
	try(t, l.Loss(t.Context(), "p510", 0))

	try(t, l.PowerOff(t.Context(), "p620"))
	try(t, l.PowerOn(t.Context(), "p620"))
	if measured := connectTime(t, l, "p620"); measured < rtt {
		t.Errorf("after a power cut: %s", measured)
	}
	try(t, l.Cut(t.Context(), "p620"))
	if _, err := sh(t, l, Control, "ssh -o ConnectTimeout=1 p620 true"); err == nil {
		t.Error("a slow link cannot be cut")
	}
	try(t, l.Restore(t.Context(), "p620"))
	mustSh(t, l, Control, "ssh p620 true")
	try(t, l.Latency(t.Context(), "p620", 0))
	if measured := connectTime(t, l, "p620"); measured >= rtt {
		t.Errorf("taken back, but a handshake takes %s", measured)
	}
}

func testBandwidth(t *testing.T, l *Lab) {
	const (
		bits  = 16_000_000
		bytes = 2_000_000 // takes a second
		// What the buckets let through at once.
		least = 900 * time.Millisecond
	)
	transfers := map[string]string{
		"down": fmt.Sprintf("head -c %d /dev/zero | ssh p620 'cat >/dev/null'", bytes),
		"up":   fmt.Sprintf("ssh p620 'head -c %d /dev/zero' >/dev/null", bytes),
	}
	try(t, l.Bandwidth(t.Context(), "p620", bits))
	for name, text := range transfers {
		res, err := l.Exec(t.Context(), ExecOptions{Argv: []string{"sh", "-c", text}})
		t.Logf("%s: %d bytes took %s", name, bytes, res.Duration)
		if err != nil || res.Duration < least {
			t.Errorf("less than %s, or %v", least, err)
		}
	}
	try(t, l.Bandwidth(t.Context(), "p620", 0))
	qdiscs := mustSh(t, l, "p620", "tc qdisc show dev host0")
	if strings.Contains(qdiscs, "tbf") {
		t.Errorf("taken back, but: %s", qdiscs)
	}
}

func testDisk(t *testing.T, l *Lab) {
	const full = "No space left on device"
	try(t, l.FillDisk(t.Context(), "razer", 0))
	check := func(when string) {
		t.Helper()
		out := mustSh(t, l, "razer", `LC_ALL=C; for f in /nix/x /nix/store/x; do
  dd if=/dev/zero of=$f bs=4096 count=1 2>&1 | grep -o 'No space.*'; rm -f $f
done; mkdir /nix/dir 2>&1 | grep -o 'No space.*'; echo fine >/root/x && cat /root/x`)
		if want := full + "\n" + full + "\n" + full + "\nfine"; out != want {
			t.Errorf("%s: got %q, want %q", when, out, want)
		}
	}
	check("when filled")
	if s, err := l.Status(t.Context()); err != nil || !s.Machines[2].DiskFilled || s.Machines[2].StoreFree >= 4096 {
		t.Errorf("%+v, %v", s.Machines[2], err)
	}
	try(t, l.PowerOff(t.Context(), "razer"))
	try(t, l.PowerOn(t.Context(), "razer"))
	check("after a power cut")

	const leave = 1 << 20
	try(t, l.FillDisk(t.Context(), "razer", leave))
	if s, err := l.Status(t.Context()); err != nil || s.Machines[2].StoreFree > leave || s.Machines[2].StoreFree < leave/2 {
		t.Errorf("left %d bytes of %d, %v", s.Machines[2].StoreFree, leave, err)
	}
	mustSh(t, l, "razer", "head -c 500000 /dev/zero >/nix/x && rm /nix/x")
	if _, err := sh(t, l, "razer", "head -c 5000000 /dev/zero >/nix/x"); err == nil {
		t.Error("more went in than was left")
	}
	mustSh(t, l, "razer", "rm -f /nix/x")
	try(t, l.FreeDisk(t.Context(), "razer"))
	try(t, l.FreeDisk(t.Context(), "razer"))
	mustSh(t, l, "razer", "head -c 50000000 /dev/zero >/nix/x && rm /nix/x")
}

func testCompat(t *testing.T, l *Lab) {
	booted := mustSh(t, l, Control, "nix --version")
	mustSh(t, l, Control, "echo changed >>fleet.toml")
	res, err := l.Compat(t.Context(), ExecOptions{Argv: []string{"sh", "-c",
		"cat /nix/var/nix/db/schema && nix --version; pwd; git status --porcelain; ssh -o BatchMode=yes p620 hostname; flotilla; nix eval --raw .#nixosConfigurations.razer.config.networking.hostName"}})
	mustSh(t, l, Control, "git checkout --quiet fleet.toml")
	if err != nil {
		t.Fatal(err)
	}
	// Nobody has used Nix yet: its store is there even so.
	schema, rest, _ := strings.Cut(strings.TrimSpace(string(res.Stdout)), "nix (Nix)")
	if strings.TrimSpace(schema) == "" {
		t.Error("its store is not made")
	}
	version, rest, _ := strings.Cut("nix (Nix)"+rest, "\n")
	if version == booted || !strings.HasPrefix(version, "nix (Nix) 2.") {
		t.Errorf("Control has %q, Compat %q", booted, version)
	}
	if want := FleetDir + "\n M fleet.toml\np620\ntwo\nrazer"; strings.ReplaceAll(rest, "one", "two") != want {
		t.Errorf("got %q, want %q", rest, want)
	}
	// Both at once, and its store is its own.
	err = each([]string{"a", "b"}, func(name string) error {
		_, err := l.Compat(t.Context(), ExecOptions{Argv: []string{"sh", "-c", "touch /nix/" + name}})
		return err
	})
	try(t, err)
	if _, err := sh(t, l, Control, "ls /nix/a"); err == nil {
		t.Error("Control has Compat's store")
	}
	// Its life hangs on Control's.
	try(t, l.PowerOff(t.Context(), Control))
	if _, err := l.Compat(t.Context(), ExecOptions{Argv: []string{"true"}}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("without Control: %v, want ErrNotRunning", err)
	}
	try(t, l.PowerOn(t.Context(), Control))
	_, err = l.Compat(t.Context(), ExecOptions{Argv: []string{"ls", "/nix/a", "/nix/b"}})
	try(t, err)
}

func testTwoLabs(t *testing.T, l *Lab) {
	other := mustUp(t, testConfig(t, "b"))
	mustSh(t, other, "p620", "echo other >/root/which")
	if _, err := sh(t, l, "p620", "cat /root/which"); err == nil {
		t.Error("one lab's p620 is the other's")
	}
	key := "ssh-keyscan -t ed25519 p620 2>/dev/null"
	if mustSh(t, l, Control, key) == mustSh(t, other, Control, key) {
		t.Error("both have the same p620 in their networks")
	}
	try(t, other.Cut(t.Context(), "p620"))
	mustSh(t, l, Control, "ssh p620 true")
	if err := Down(t.Context(), other.cfg, DownOptions{KeepImage: true}); err != nil {
		t.Fatal(err)
	}
	s, err := l.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range s.Machines {
		if m.System != "running" {
			t.Errorf("the other lab's Down did this: %+v", m)
		}
	}
}

func testNonsense(t *testing.T, l *Lab) {
	ctx := t.Context()
	for name, err := range map[string]error{
		"machine":   l.Cut(ctx, "nonesuch"),
		"latency":   l.Latency(ctx, "p620", -1),
		"too late":  l.Latency(ctx, "p620", time.Hour),
		"all lost":  l.Loss(ctx, "p620", 100),
		"bandwidth": l.Bandwidth(ctx, "p620", 1),
		"disk":      l.FillDisk(ctx, "p620", -1),
		"no repo":   (&Lab{cfg: Config{Name: l.cfg.Name}, path: l.path}).buildRelay(ctx),
	} {
		var labErr *Error
		if !errors.As(err, &labErr) || labErr.Hint() == "" {
			t.Errorf("%s: got %v, want an *Error with a hint", name, err)
		}
	}
	if _, err := l.Exec(ctx, ExecOptions{}); err == nil {
		t.Error("an empty command was accepted")
	}
}

func testManyAtOnce(t *testing.T, l *Lab) {
	try(t, each(Hosts(), func(m string) error {
		return errors.Join(l.PowerOff(t.Context(), m), l.PowerOn(t.Context(), m))
	}))
	try(t, each([]string{"1", "2", "3"}, func(string) error {
		_, err := Up(t.Context(), l.cfg)
		return err
	}))
}

// testCrash kills everything there is with no regard for order.
func testCrash(t *testing.T, l *Lab) {
	try(t, l.Latency(t.Context(), "p510", 2*time.Millisecond))
	mustSh(t, l, "p510", "echo kept >/root/kept; sync")
	for _, m := range Machines() {
		for _, name := range []string{l.path.name(m), l.path.relayGroup(m)} {
			g, err := findGroup(name)
			if err != nil {
				t.Fatal(err)
			}
			pids, err := g.members()
			if err != nil {
				t.Fatal(err)
			}
			for _, pid := range pids {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}
	waitFor(t, func() bool {
		_, err := Open(t.Context(), l.cfg)
		return errors.Is(err, ErrNotRunning)
	})
	// Half of a machine is missing, too.
	try(t, deleteNetns(t.Context(), l.path.name("razer")))
	try(t, unmountBelow(l.path.machine("p620", "root", "nix")))
	again := mustUp(t, l.cfg)
	if out := mustSh(t, again, Control, "git log --format=%s; ssh p510 cat /root/kept; ssh p620 nix-store --verify"); !strings.HasPrefix(out, "The lab's fleet\nkept") {
		t.Errorf("got %q", out)
	}
	// And the bridge, under running machines.
	try(t, deleteNetns(t.Context(), l.path.network()))
	again = mustUp(t, l.cfg)
	mustSh(t, again, Control, "ssh p510 true")
}

func TestUpCancelledHalfway(t *testing.T) {
	real(t)
	cfg := testConfig(t, "c")
	path, err := newLayout(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for ctx.Err() == nil {
			if pids, err := leaderOf(path, "razer"); err == nil && pids != 0 {
				cancel()
			}
			_ = pause(ctx, pollInterval)
		}
	}()
	if _, err := Up(ctx, cfg); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	cancel()
	<-watched
	l := mustUp(t, cfg)
	mustSh(t, l, Control, "ssh razer true && git status")
}

func leaderOf(path layout, machine string) (int, error) {
	g, err := findGroup(path.name(machine))
	if err != nil {
		return 0, err
	}
	return g.leader()
}

func TestDownOfNothing(t *testing.T) {
	real(t)
	cfg := testConfig(t, "d") // whose cleanup is a second Down
	if err := Down(t.Context(), cfg, DownOptions{KeepImage: true}); err != nil {
		t.Error(err)
	}
}

func TestFailingProvisionLeavesNoImage(t *testing.T) {
	real(t)
	cfg := testConfig(t, "e")
	cfg.image = fstest.MapFS{"provision.sh": {Data: []byte("sleep 1000 & echo broken beyond repair >&2; exit 7 # " + cfg.Name)}}
	_, err := Up(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "exit code 7") || !strings.Contains(err.Error(), "broken beyond repair") {
		t.Errorf("got %v", err)
	}
	name, err := booted().name(cfg.image)
	if err != nil {
		t.Fatal(err)
	}
	for _, trace := range traces(t, name) {
		t.Errorf("left behind: %s", trace)
	}
}

// A cancelled build leaves nothing that is taken for an image.
func TestImageBuildCancelled(t *testing.T) {
	real(t)
	t.Setenv("FLOTILLA_LAB_DIR", filepath.Join(t.TempDir(), "lab"))
	cfg := testConfig(t, "f")
	temporary := func() []string {
		left, err := filepath.Glob(filepath.Join(os.TempDir(), "mmdebstrap.*"))
		if err != nil {
			t.Fatal(err)
		}
		return left
	}
	before := temporary()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	path, err := newLayout(cfg)
	if err != nil {
		t.Fatal(err)
	}
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for ctx.Err() == nil {
			if under, _ := filepath.Glob(path.images() + "/.*.new/root/usr"); len(under) > 0 {
				cancel()
			}
			_ = pause(ctx, pollInterval)
		}
	}()
	if _, err := Up(ctx, cfg); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	cancel()
	<-watched
	if images := imagesIn(t, path); len(images) != 0 {
		t.Errorf("left %q", images)
	}
	if after := temporary(); len(after) > len(before) {
		t.Errorf("left %q", after)
	}
	if err := Down(t.Context(), cfg, DownOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path.cache); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the cache is still there: %v", err)
	}
}

// imagesIn lists what is kept of images, whole or not; locks are not.
func imagesIn(t *testing.T, path layout) []string {
	t.Helper()
	entries, err := os.ReadDir(path.images())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

// Down removes the images that no lab stands on, and only those.
func TestDownSparesImagesInUse(t *testing.T) {
	real(t)
	t.Setenv("FLOTILLA_LAB_DIR", filepath.Join(t.TempDir(), "lab"))
	cfg := testConfig(t, "g")
	path, err := newLayout(cfg)
	if err != nil {
		t.Fatal(err)
	}
	other := layout{id: "other", cache: path.cache}
	err = errors.Join(
		os.MkdirAll(filepath.Join(path.images(), "trixie-1", "root"), 0o700),
		os.MkdirAll(filepath.Join(path.images(), "trixie-2", "root"), 0o700),
		os.MkdirAll(filepath.Join(path.images(), ".trixie-3.new", "root"), 0o700),
		os.MkdirAll(other.dir(), 0o700),
		state{Image: "trixie-2"}.save(other.state()),
	)
	if err != nil {
		t.Fatal(err)
	}
	try(t, Down(t.Context(), cfg, DownOptions{}))
	if left := imagesIn(t, path); !slices.Equal(left, []string{"trixie-2"}) {
		t.Errorf("left %q", left)
	}
	try(t, os.RemoveAll(other.dir()))
	try(t, Down(t.Context(), cfg, DownOptions{}))
	if _, err := os.Stat(path.cache); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the cache is still there: %v", err)
	}
}
