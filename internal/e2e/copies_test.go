package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nixflotilla/flotilla/internal/lab"
)

// copyEvent is what the tests want of an event in JSON.
type copyEvent struct {
	Kind, Host, Step, Text string
	Done, Expected         int
	Bytes                  int64
	BytesExpected          int64 `json:"bytes_expected"`
	Rate                   int64 `json:"bytes_per_second"`
}

// copied are the events of the copy to a host.
func (o outcome) copied(host string) (events []copyEvent) {
	o.t.Helper()
	for line := range strings.Lines(o.stdout) {
		var e copyEvent
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			o.t.Fatalf("%v: %s", err, line)
		}
		if e.Host == host && e.Step == "copy" {
			events = append(events, e)
		}
	}
	return events
}

// outage is how the connection to a host ends, and comes back; mend may be nil.
type outage struct {
	name        string
	wreck, mend func(m *machine)
}

// outages are one of which both ends learn, and one of which the far end does not: it goes on
// waiting, and holds its locks. The keepalives of the connection have to be short.
func outages(host string) []outage {
	return []outage{
		{"sshd restarted", func(m *machine) {
			m.runOn(host, "systemctl stop ssh.service ssh.socket; systemctl kill --kill-whom=all ssh.service 2>/dev/null; pkill -x sshd-session; pkill -x sshd")
		}, func(m *machine) { m.must(host, "systemctl start ssh.service") }},
		{"link cut", func(m *machine) { m.fault("cut", m.Cut(m.t.Context(), host)) }, func(m *machine) {
			m.must(lab.Control, "while pgrep -f '[s]sh .*ControlMaster=yes.* "+host+"$'; do sleep 0.1; done")
			m.fault("restored", m.Restore(m.t.Context(), host))
		}},
	}
}

// What happens to a connection while paths are sent costs time: what has arrived is not
// sent again, the host is deployed, and others know nothing of it.
func TestCopyGoesOn(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.must(lab.Control, `printf '\n[ssh]\nconnect-timeout = "2s"\n' >>fleet.toml`)
	m.configure("p510", `ssh-options = ["ServerAliveInterval=1", "ServerAliveCountMax=2"]`)
	m.fault("bandwidth", m.Bandwidth(t.Context(), "p510", 24_000_000))
	t.Cleanup(func() { m.fault("bandwidth", m.Bandwidth(context.Background(), "p510", 0)) })
	dropped := outage{"connection dropped", func(m *machine) { m.must("p510", "pkill -x sshd-session") }, nil}
	for i, c := range append([]outage{dropped}, outages("p510")...) {
		t.Run(c.name, func(t *testing.T) {
			m := &machine{t: t, Lab: m.Lab}
			m.must(lab.Control, "git checkout -q hosts")
			m.set("p510", fmt.Sprintf(`lab.bigPackageMiB = 8; lab.extraPackages = 200; lab.salt = "drop-%d";`, i))
			done := make(chan outcome, 1)
			go func() {
				done <- m.run("FLOTILLA_JSON=1 flotilla deployAllParallel -yes -on=p510,razer")
			}()
			m.must("p510", fmt.Sprintf(`until [ "$(du -sk /nix/store/*-lab-big-8.drop-%d 2>/dev/null | cut -f1)" -ge 3000 ] 2>/dev/null; do sleep 0.05; done`, i))
			c.wreck(m)
			if c.mend != nil {
				c.mend(m)
			}
			o := (<-done).exits(0)
			m.settled("p510")
			dropped, before, resumed := false, 0, 0
			for _, e := range o.copied("p510") {
				switch {
				case e.Kind == "warning" && strings.Contains(e.Text, "the connection dropped while paths were sent"):
					if dropped {
						t.Error("it dropped more than once")
					}
					dropped = true
				case e.Kind == "progress" && dropped && resumed == 0:
					resumed = max(1, e.Done)
					if e.Done < 20 || e.Done > before {
						t.Errorf("before it dropped %d paths were done, then %+v", before, e)
					}
				case e.Kind == "progress" && !dropped:
					before = e.Done
				}
			}
			if !dropped || resumed == 0 {
				t.Errorf("no drop was told of, or nothing after it:\n%s", o.stdout)
			}
			if left := m.must("p510", "pgrep -af '[n]ix-daemon --stdio' || true; ls -d /nix/store/*lab-big-8.drop-*.lock 2>/dev/null || true"); left != "" {
				t.Errorf("left there: %s", left)
			}
			m.run("flotilla quickDeploy p510").exits(0).says("p510: unchanged")
		})
	}
}

// The same on the way from a build host to here, from where the system goes on to its host.
func TestFetchGoesOn(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.must(lab.Control, `printf '\n[ssh]\nconnect-timeout = "2s"\n' >>fleet.toml`)
	m.configure("razer", `build-host = "p620"`)
	m.configure("p620", `ssh-options = ["ServerAliveInterval=1", "ServerAliveCountMax=2"]`)
	m.fault("bandwidth", m.Bandwidth(t.Context(), "p620", 24_000_000))
	t.Cleanup(func() { m.fault("bandwidth", m.Bandwidth(context.Background(), "p620", 0)) })
	for i, c := range outages("p620") {
		t.Run(c.name, func(t *testing.T) {
			m := &machine{t: t, Lab: m.Lab}
			m.must(lab.Control, "git checkout -q hosts")
			m.set("razer", fmt.Sprintf(`lab.bigPackageMiB = 8; lab.extraPackages = 200; lab.salt = "fetch-%d";`, i))
			done := make(chan outcome, 1)
			go func() { done <- m.run("FLOTILLA_JSON=1 flotilla quickDeploy razer") }()
			m.must(lab.Control, fmt.Sprintf(`until [ "$(du -sk /nix/store/*-lab-big-8.fetch-%d 2>/dev/null | cut -f1)" -ge 3000 ] 2>/dev/null; do sleep 0.05; done`, i))
			c.wreck(m)
			c.mend(m)
			o := (<-done).exits(0)
			m.settled("razer")
			dropped, before, resumed := 0, 0, 0
			for _, e := range o.copied("razer") {
				from := strings.HasPrefix(e.Text, "from p620, ")
				switch {
				case e.Kind == "warning" && strings.Contains(e.Text, "the connection to p620 dropped while paths were fetched"):
					dropped++
				case e.Kind == "progress" && from && dropped > 0 && resumed == 0:
					resumed = max(1, e.Done)
					if e.Done < 20 || e.Done > before {
						t.Errorf("before it dropped %d paths were done, then %+v", before, e)
					}
				case e.Kind == "progress" && from && dropped == 0:
					before = e.Done
				}
			}
			if dropped != 1 || resumed == 0 {
				t.Errorf("%d drops were told of, and then %d paths:\n%s", dropped, resumed, o.stdout)
			}
			if left := m.must("p620", "pgrep -af '[n]ix-daemon --stdio' || true"); left != "" {
				t.Errorf("left there: %s", left)
			}
			m.run("flotilla quickDeploy razer").exits(0).says("razer: unchanged")
		})
	}
}

// The same where the build host copies straight to the target: that goes on straight.
func TestStraightGoesOn(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.must(lab.Control, `printf '\n[ssh]\nconnect-timeout = "2s"\n' >>fleet.toml`)
	m.configure("razer", `build-host = "p620"`)
	m.configure("p620", `ssh-options = ["ServerAliveInterval=1", "ServerAliveCountMax=2"]`)
	m.logsIn("p620")
	m.fault("bandwidth", m.Bandwidth(t.Context(), "razer", 24_000_000))
	t.Cleanup(func() { m.fault("bandwidth", m.Bandwidth(context.Background(), "razer", 0)) })
	for i, c := range outages("p620") {
		t.Run(c.name, func(t *testing.T) {
			m := &machine{t: t, Lab: m.Lab}
			m.must(lab.Control, "git checkout -q hosts")
			m.set("razer", fmt.Sprintf(`lab.bigPackageMiB = 8; lab.extraPackages = 200; lab.salt = "straight-%d";`, i))
			done := make(chan outcome, 1)
			go func() { done <- m.run("flotilla quickDeploy razer") }()
			m.must("razer", fmt.Sprintf(`until [ "$(du -sk /nix/store/*-lab-big-8.straight-%d 2>/dev/null | cut -f1)" -ge 3000 ] 2>/dev/null; do sleep 0.05; done`, i))
			c.wreck(m)
			c.mend(m)
			(<-done).exits(0).says("the connection to p620 dropped while that sent paths; connecting again", ", straight from p620", "runs and boots")
			if now := m.settled("razer"); m.has(lab.Control, now) {
				t.Errorf("%s came through here", now)
			}
			for host, process := range map[string]string{"p620": "[n]ix copy ", "razer": "[n]ix-daemon --stdio"} {
				m.gone(host, process)
			}
		})
	}
}

// If the link is cut between the build host and the target alone, the target's Nix knows nothing
// of it, and holds the lock of the path: the copy through here waited for that, nine minutes
// and more without a word.
func TestStraightIsCut(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.configure("razer", `build-host = "p620"`)
	m.logsIn("p620")
	m.fault("bandwidth", m.Bandwidth(t.Context(), "razer", 24_000_000))
	t.Cleanup(func() { m.fault("bandwidth", m.Bandwidth(context.Background(), "razer", 0)) })
	m.set("razer", `lab.bigPackageMiB = 8; lab.salt = "cut";`)
	done := make(chan outcome, 1)
	go func() { done <- m.run("flotilla quickDeploy razer") }()
	m.must("razer", `until [ "$(du -sk /nix/store/*-lab-big-8.cut 2>/dev/null | cut -f1)" -ge 3000 ] 2>/dev/null; do sleep 0.05; done`)
	m.must("razer", "ip route add blackhole 10.77.0.11")
	t.Cleanup(func() { m.must("razer", "ip route del blackhole 10.77.0.11") })
	(<-done).exits(0).says("p620 could not copy it to the host: ", "copying it through here", "runs and boots")
	m.settled("razer")
	m.gone("razer", "[n]ix-daemon --stdio")
}

// A copy of which nothing is left here, and whose connection the host takes to be alive, as after a laptop has come back
// under another address: the Nix over there holds the lock of the path that it was at, and the next run ends it.
func TestCutOffCopyIsEnded(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.fault("bandwidth", m.Bandwidth(t.Context(), "p510", 24_000_000))
	t.Cleanup(func() { m.fault("bandwidth", m.Bandwidth(context.Background(), "p510", 0)) })
	m.set("p510", `lab.bigPackageMiB = 8; lab.salt = "cutoff";`)
	done := make(chan outcome, 1)
	go func() { done <- m.run("exec flotilla quickDeploy p510") }()
	m.must("p510", `until [ "$(du -sk /nix/store/*-lab-big-8.cutoff 2>/dev/null | cut -f1)" -ge 3000 ] 2>/dev/null; do sleep 0.05; done`)
	master := strings.TrimSpace(m.must(lab.Control, "pgrep -f '[s]sh .*ControlMaster=yes.* p510$'"))
	m.must(lab.Control, "kill -STOP "+master+"; pkill -9 -f '^[f]lotilla quickDeploy p510'; pkill -9 -f '[n]ix copy .*p510'; pkill -9 -f '[s]sh .*ControlMaster=no.*p510'; true")
	t.Cleanup(func() { m.must(lab.Control, "kill -9 "+master+" 2>/dev/null || true") })
	<-done
	m.must("p510", "pgrep -f '[n]ix-daemon --stdio'")
	m.run("timeout 120 flotilla quickDeploy p510").exits(0).says("runs and boots")
	m.settled("p510")
	m.gone("p510", "[n]ix-daemon --stdio")
}

// text gives p510 a package of 22 MiB that compresses well, another for each name.
func (m *machine) text(name string) {
	m.t.Helper()
	m.must(lab.Control, fmt.Sprintf(`git checkout -q hosts; sed -i 's|imports = \[|imports = [ ({ pkgs, ... }: { environment.systemPackages = [ (pkgs.runCommand "lab-text-%[1]s" { } "mkdir -p $out/share; seq 3000000 >$out/share/lab-text-%[1]s") ]; })|' hosts/p510/default.nix`, name))
}

// A copy that a slow link would hold up goes on compressed; over a fast one nothing is
// measured and no other connection made.
func TestCopyIsCompressedOverASlowLink(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.text("one")
	handshakes := m.handshakes("p510")
	m.run("flotilla disconnect -on=p510; flotilla quickDeploy p510").exits(0)
	if n := m.handshakes("p510") - handshakes; n != 2 {
		t.Errorf("%d handshakes, want that of the pool and that which confirms", n)
	}
	m.text("two")
	m.fault("bandwidth", m.Bandwidth(t.Context(), "p510", 4_000_000))
	t.Cleanup(func() { m.fault("bandwidth", m.Bandwidth(context.Background(), "p510", 0)) })
	m.run("flotilla quickDeploy p510").exits(0).says("the link carries about ", " go compressed, over a connection of their own", "runs and boots")
	m.settled("p510")
}

// A path that is damaged here is refused there, with what to do; and a connection that
// ended during a long build is made again for the copy.
func TestCopyOfADamagedPath(t *testing.T) {
	m := inLab(t)
	m.deployed()
	before := m.systems("p510")
	m.set("p510", `lab.bigPackageMiB = 1; lab.salt = "damaged";`)
	m.run("flotilla testHost p510").exits(0)
	m.must(lab.Control, "chmod u+w /nix/store/*-lab-big-1.damaged/share/lab-big && printf x | dd of=$(echo /nix/store/*-lab-big-1.damaged/share/lab-big) conv=notrunc bs=1 seek=1000 status=none")
	o := m.run("flotilla deployAllParallel -yes -on=p510,razer").exits(3).row("p510", "failed").row("razer", "unchanged").
		says("lab-big-1.damaged is damaged in the store here", "nix store repair /nix/store/")
	m.asBefore("p510", before)
	_, path, _ := strings.Cut(o.stderr, "nix store repair ")
	path, _, _ = strings.Cut(path, "`")
	m.must(lab.Control, "nix-store --delete --ignore-liveness "+path+" || nix store repair "+path)
	m.run("flotilla quickDeploy p510").exits(0)
	m.settled("p510")

	m.must(lab.Control, `printf '\n[ssh]\npersist = "1s"\n' >>fleet.toml`)
	m.must(lab.Control, `git checkout -q hosts; sed -i 's|imports = \[|imports = [ ({ pkgs, ... }: { environment.systemPackages = [ (pkgs.runCommand "lab-slow-1" { } "sleep 4; mkdir -p $out/share; echo >$out/share/lab-slow") ]; })|' hosts/p510/default.nix`)
	m.run("flotilla disconnect; flotilla quickDeploy p510").exits(0).says("runs and boots")
}

// measured is what perfTransport -json answers.
type measured struct {
	Hosts []struct {
		Host   string
		Series []series
	}
	AtOnce series `json:"at_once"`
}

type series struct {
	Phase   string
	Seconds []float64
}

func (m *machine) perfTransport(rounds int, arguments string) (r measured) {
	m.t.Helper()
	line := fmt.Sprintf("flotilla perfTransport %s -json -runs=%d", arguments, rounds)
	if err := json.Unmarshal([]byte(m.run(line).exits(0).stdout), &r); err != nil {
		m.t.Fatal(err)
	}
	return r
}

func (m *machine) show(what string, s series) {
	m.t.Helper()
	s.Seconds = slices.Sorted(slices.Values(s.Seconds))
	if n := len(s.Seconds); n > 0 {
		m.t.Logf("%-8s %-26s min %.3f median %.3f max %.3f of %d", what, s.Phase, s.Seconds[0], s.Seconds[n/2], s.Seconds[n-1], n)
	}
}

// measuring is how many rounds a measurement takes: with FLOTILLA_TEST_ROUNDS only, since
// it is no test.
func measuring(t *testing.T) int {
	t.Helper()
	rounds, _ := strconv.Atoi(os.Getenv("FLOTILLA_TEST_ROUNDS"))
	if rounds < 1 {
		t.Skip("measures, and asserts nothing: set FLOTILLA_TEST_ROUNDS")
	}
	return rounds
}

// TestMeasureDistance measures what docs/performance.md says of distance: in turn, so that
// the machine's load is the same for each.
func TestMeasureDistance(t *testing.T) {
	rounds := measuring(t)
	m := inLab(t)
	m.deployed()
	t.Logf("load %s", m.must(lab.Control, "cat /proc/loadavg"))
	rtts := []time.Duration{0, 20 * time.Millisecond, 100 * time.Millisecond}
	var small [3][]float64
	for range rounds {
		for i, rtt := range rtts {
			m.fault("latency", m.Latency(t.Context(), "p510", rtt))
			// TCP has learnt the distance before, and is long over unlearning it.
			m.run("flotilla disconnect -on=p510").exits(0)
			for _, s := range m.perfTransport(1, "p510 -paths=600 -large=0").Hosts[0].Series {
				if s.Phase == "small" {
					small[i] = append(small[i], s.Seconds...)
				}
			}
		}
	}
	m.fault("latency", m.Latency(t.Context(), "p510", 0))
	for i, rtt := range rtts {
		var ratios []float64
		for n, s := range small[i] {
			ratios = append(ratios, s/small[0][n])
		}
		m.show(rtt.String(), series{"600 paths, seconds", small[i]})
		m.show(rtt.String(), series{"the same, ratio to 0", ratios})
	}
	t.Logf("load %s", m.must(lab.Control, "cat /proc/loadavg"))
}

// TestMeasureCompression measures what docs/performance.md says of slow links.
func TestMeasureCompression(t *testing.T) {
	rounds := measuring(t)
	m := inLab(t)
	m.deployed()
	t.Cleanup(func() { m.fault("bandwidth", m.Bandwidth(context.Background(), "p510", 0)) })
	for _, bits := range []int64{2_000_000, 16_000_000, 0} {
		m.fault("bandwidth", m.Bandwidth(t.Context(), "p510", bits))
		took := map[string][]float64{}
		for round := range rounds {
			for _, way := range []string{"chosen", "no", "yes"} {
				m.must(lab.Control, "git checkout -q fleet.toml")
				if way != "chosen" {
					m.configure("p510", fmt.Sprintf(`ssh-options = ["Compression=%s"]`, way))
				}
				m.text(fmt.Sprintf("%s-%d-%d", way, bits, round))
				for line := range strings.Lines(m.run("FLOTILLA_JSON=1 flotilla quickDeploy p510").exits(0).stdout) {
					var e struct {
						Kind, Step string
						Seconds    float64
					}
					if err := json.Unmarshal([]byte(line), &e); err != nil {
						t.Fatal(err)
					}
					if e.Kind == "done" && e.Step == "copy" {
						took[way] = append(took[way], e.Seconds)
					}
				}
			}
		}
		for _, way := range []string{"chosen", "no", "yes"} {
			m.show(fmt.Sprint(bits), series{"22 MiB, compression " + way, took[way]})
		}
	}
}

// TestMeasureTransport measures what docs/performance.md says of copies, beside the ways
// of others.
func TestMeasureTransport(t *testing.T) {
	rounds := measuring(t)
	m := inLab(t)
	m.deployed()
	measure := func(what string, rounds int, arguments string) {
		handshakes, sessions, load := m.handshakes("p510"), m.sessions("p510"), m.must(lab.Control, "cat /proc/loadavg")
		r := m.perfTransport(rounds, arguments)
		t.Logf("%s: %s; load %s; %d handshakes and %d sessions at p510", what, arguments, load, m.handshakes("p510")-handshakes, m.sessions("p510")-sessions)
		for _, h := range r.Hosts {
			for _, s := range h.Series {
				m.show(h.Host, s)
			}
		}
		m.show("all", r.AtOnce)
	}
	// nix-copy-closure takes two minutes for a round at 100 ms.
	for _, c := range []struct {
		rtt    time.Duration
		rounds int
	}{{0, rounds}, {20 * time.Millisecond, rounds}, {100 * time.Millisecond, (rounds + 2) / 3}} {
		m.fault("latency", m.Latency(t.Context(), "p510", c.rtt))
		measure(fmt.Sprintf("round trip %s", c.rtt), c.rounds, "p510 -beside -paths=600 -large=0")
	}
	m.fault("latency", m.Latency(t.Context(), "p510", 0))
	measure("four hosts", rounds, "'*' -paths=600 -large=0")
	measure("1 GiB", (rounds+1)/2, "p510 -beside -paths=1 -large=1024")
}

// perfTransport leaves nothing in either store, and measures each way.
func TestPerfTransport(t *testing.T) {
	m := inLab(t)
	m.restoreAtEnd()
	before := m.systems("p510")
	o := m.run("flotilla perfTransport p510,razer -runs=1 -paths=20 -large=1 -beside").exits(0).
		says("20 small paths of 3 kB, a large one of 1.0 MiB", "round-trip", "handshake", "uplink", "small: nix-copy-closure", "large: nix copy", "nothing", "MiB/s", "at once", "need >= 6 samples")
	for line := range strings.Lines(o.stdout) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 && strings.HasPrefix(line, "p510") {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	m.asBefore("p510", before)
	for _, h := range []string{lab.Control, "p510", "razer"} {
		if left := m.must(h, "ls -d /nix/store/*flotilla-cargo* 2>/dev/null || true"); left != "" {
			t.Errorf("%s: left behind: %s", h, left)
		}
	}
	done := make(chan outcome, 1)
	go func() { done <- m.run("exec flotilla perfTransport p510 -runs=1000 -paths=50 -large=0") }()
	m.must("p510", "until ls -d /nix/store/*flotilla-cargo* >/dev/null 2>&1; do sleep 0.05; done")
	m.must(lab.Control, "kill -INT $(pidof flotilla)")
	(<-done).exits(130)
	for _, h := range []string{lab.Control, "p510"} {
		if left := m.must(h, "ls -d /nix/store/*flotilla-cargo* 2>/dev/null || true"); left != "" {
			t.Errorf("%s: left behind after Ctrl-C: %s", h, left)
		}
	}
}
