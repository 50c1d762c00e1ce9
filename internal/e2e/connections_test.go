package e2e

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nixflotilla/flotilla/internal/lab"
)

// handshakes counts the log-ins that a host's sshd has seen, sessions the sessions.
func (m *machine) handshakes(host string) int { return m.inJournal(host, "Accepted publickey") }
func (m *machine) sessions(host string) int   { return m.inJournal(host, "Starting session") }

func (m *machine) inJournal(host, what string) (n int) {
	m.t.Helper()
	fmt.Sscan(m.must(host, "journalctl --sync; journalctl --no-pager -o cat _COMM=sshd _COMM=sshd-session | grep -c '"+what+"' || true"), &n)
	return n
}

// through makes hosts reachable by a jump host only.
func (m *machine) through(jump string, hosts ...string) {
	m.t.Helper()
	for _, h := range hosts {
		m.must(lab.Control, fmt.Sprintf(`sed -i 's/^\[hosts.%s\]/&\nssh-options = ["ProxyJump=%s"]/' fleet.toml && grep -q 'ProxyJump=%[2]s' fleet.toml`, h, jump))
	}
}

// Connections are kept for the next run, shared, and ended when asked; three hosts
// behind a fourth cost that one a single handshake.
func TestConnectionsAreKeptAndShared(t *testing.T) {
	m := inLab(t)
	m.restoreAtEnd()
	m.through("root@p620", "razer", "p510", "dex5550")
	m.must(lab.Control, "rm -rf /tmp/kept && mkdir -m 700 /tmp/kept")
	t.Cleanup(func() { m.must(lab.Control, "XDG_RUNTIME_DIR=/tmp/kept flotilla disconnect; rm -rf /tmp/kept") })
	const kept = "XDG_RUNTIME_DIR=/tmp/kept "
	counts := func() (all []int) {
		for _, h := range lab.Hosts() {
			all = append(all, m.handshakes(h))
		}
		return all
	}
	since := func(before []int, what string, each int) []int {
		t.Helper()
		now := counts()
		for i, h := range lab.Hosts() {
			if now[i]-before[i] != each {
				t.Errorf("%s: %d handshakes at %s, want %d", what, now[i]-before[i], h, each)
			}
		}
		return now
	}
	n := counts()
	m.run(kept + "flotilla pingHosts").exits(0)
	n = since(n, "the first run", 1)
	// Several runs at once share what is there.
	m.run(kept + "sh -c 'flotilla pingHosts & flotilla pingHosts & flotilla pingHosts & wait'").exits(0)
	n = since(n, "later runs", 0)
	if left := m.must(lab.Control, "find /tmp/kept -type d ! -perm 0700; find /tmp/kept ! -user root"); left != "" {
		t.Errorf("open to others: %s", left)
	}
	m.run(kept+"flotilla disconnect -on=razer,p620").exits(0).says("ended: ", "razer")
	m.run(kept + "flotilla disconnect").exits(0).says("ended: ")
	m.run(kept + "flotilla disconnect").exits(0).says("no connection was kept")
	if left := m.must(lab.Control, "find /tmp/kept -type s; pgrep -af '[s]sh.*/tmp/kept' || true"); left != "" {
		t.Errorf("left: %s", left)
	}
	m.run(kept + "flotilla pingHosts").exits(0)
	since(n, "after disconnect", 1)

	// A jump host that is gone is what is said to be so, and only of those behind it.
	m.must(lab.Control, "git checkout -q fleet.toml")
	m.through("root@10.77.0.99", "razer")
	m.must(lab.Control, `printf '\n[ssh]\nconnect-timeout = "1s"\n' >>fleet.toml`)
	m.run(kept+"flotilla pingHosts").exits(3).row("razer", "unreachable").row("p510", "reached").row("p620", "reached").
		says("razer: unreachable (jump host root@10.77.0.99)")
	m.must(lab.Control, "git checkout -q fleet.toml")
	m.run(kept+"flotilla pingHosts").exits(0).row("razer", "reached")
}

// What happens to sshd and to the network costs the host in question a clear
// outcome, the others nothing, and is over with the next run.
func TestConnectionsHeal(t *testing.T) {
	m := inLab(t)
	m.restoreAtEnd()
	m.must(lab.Control, `printf '\n[ssh]\nconnect-timeout = "1s"\n' >>fleet.toml; rm -rf /tmp/heal && mkdir -m 700 /tmp/heal`)
	t.Cleanup(func() { m.must(lab.Control, "XDG_RUNTIME_DIR=/tmp/heal flotilla disconnect; rm -rf /tmp/heal") })
	const heal = "XDG_RUNTIME_DIR=/tmp/heal "
	fine := func() {
		t.Helper()
		o := m.run(heal + "flotilla pingHosts").exits(0)
		for _, h := range lab.Hosts() {
			o.row(h, "reached")
		}
	}
	fine()
	for _, c := range []struct {
		name, wreck, mend, says string
		do, undo                func() error
	}{
		{name: "sshd is restarted and every connection to it cut", wreck: "systemctl stop ssh.service ssh.socket; systemctl kill --kill-whom=all ssh.service 2>/dev/null; pkill -x sshd-session; pkill -x sshd", mend: "systemctl start ssh.service", says: "Connection refused"},
		{name: "the cable is pulled", do: func() error { return m.Cut(t.Context(), "razer") }, undo: func() error { return m.Restore(t.Context(), "razer") }, says: "razer: unreachable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &machine{t: t, Lab: m.Lab}
			if c.do != nil {
				m.fault(c.name, c.do())
			} else {
				m.runOn("razer", c.wreck)
			}
			o := m.run(heal + "flotilla pingHosts")
			if c.undo != nil {
				m.fault("mended", c.undo())
			} else {
				m.must("razer", c.mend)
			}
			o.exits(3).row("razer", "unreachable").row("p620", "reached").row("p510", "reached").row("dex5550", "reached").says(c.says)
			m.run(heal + "flotilla pingHosts -on=razer").exits(0).says("razer: reached")
		})
	}
	fine()

	t.Run("one session at a time", func(t *testing.T) {
		m := &machine{t: t, Lab: m.Lab}
		const conf = "/etc/ssh/sshd_config.d/one.conf"
		m.must("p510", "echo 'MaxSessions 1' >"+conf+" && systemctl reload ssh.service")
		t.Cleanup(func() { m.must("p510", "rm "+conf+" && systemctl reload ssh.service") })
		m.run(heal + "flotilla disconnect").exits(0)
		m.set("p510", `environment.etc.motd.text = "one at a time";`)
		handshakes := m.handshakes("p510")
		m.run(heal + "flotilla quickDeploy p510").exits(0).says("runs and boots")
		m.settled("p510")
		if n := m.handshakes("p510") - handshakes; n != 2 {
			t.Errorf("%d handshakes, want that of the pool and that which confirms", n)
		}
		// More at once than the host allows, by programs that do not know of each other.
		m.run(heal + "sh -c 'for i in 1 2 3 4; do flotilla exec p510 true & done; flotilla status -on=p510'").exits(0)
	})
}

// TestMeasureConnections measures what docs/performance.md says of connections; it
// is no test, and runs with FLOTILLA_TEST_ROUNDS only.
func TestMeasureConnections(t *testing.T) {
	rounds, _ := strconv.Atoi(os.Getenv("FLOTILLA_TEST_ROUNDS"))
	if rounds < 1 {
		t.Skip("measures, and asserts nothing: set FLOTILLA_TEST_ROUNDS")
	}
	m := inLab(t)
	m.deployed()
	timed := func(line string) int64 {
		t.Helper()
		var ns int64
		fmt.Sscan(m.must(lab.Control, "a=$(date +%s%N); "+line+" >/tmp/said 2>&1 || { cat /tmp/said >&2; exit 1; }; b=$(date +%s%N); echo $((b-a))"), &ns)
		return ns / 1e6
	}
	row := func(what string, rtt time.Duration, prepare, line string, hosts ...string) {
		t.Helper()
		var ms []int64
		var shakes, sessions []int
		for _, h := range hosts {
			shakes, sessions = append(shakes, -m.handshakes(h)), append(sessions, -m.sessions(h))
		}
		for range rounds {
			m.must(lab.Control, prepare)
			ms = append(ms, timed(line))
		}
		counts := ""
		for i, h := range hosts {
			counts += fmt.Sprintf(" %s %.1f+%.1f", h, float64(shakes[i]+m.handshakes(h))/float64(rounds), float64(sessions[i]+m.sessions(h))/float64(rounds))
		}
		slices.Sort(ms)
		t.Logf("%-28s rtt %-5s min %d median %d max %d ms; handshakes+sessions a run:%s", what, rtt, ms[0], ms[rounds/2], ms[rounds-1], counts)
	}
	const quick, ping = "flotilla quickDeploy p620", "flotilla pingHosts -on='!p620'"
	for _, rtt := range []time.Duration{0, 20 * time.Millisecond, 100 * time.Millisecond} {
		m.fault("latency", m.Latency(t.Context(), "p620", rtt))
		m.run(quick).exits(0)
		row("quickDeploy, cold", rtt, "flotilla disconnect", quick, "p620")
		row("quickDeploy, warm", rtt, "true", quick, "p620")
		m.through("root@p620", "razer", "p510", "dex5550")
		row("three behind p620, cold", rtt, "flotilla disconnect", ping, "p620", "razer")
		row("three behind p620, warm", rtt, "true", ping, "p620", "razer")
		const plain = "sh -c 'for h in razer p510 dex5550; do ssh -o BatchMode=yes -J root@p620 root@$h true & done; wait'"
		row("the same by three ssh -J", rtt, "true", plain, "p620", "razer")
		m.must(lab.Control, "git checkout -q fleet.toml")
	}
	m.fault("latency", m.Latency(t.Context(), "p620", 0))
	if strings.Contains(m.must(lab.Control, "git status --short"), "fleet.toml") {
		t.Error("fleet.toml was left changed")
	}
}
