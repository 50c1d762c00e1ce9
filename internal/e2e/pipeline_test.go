package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/internal/lab"
)

// deployed brings every host to the fleet's last commit.
func (m *machine) deployed() {
	m.t.Helper()
	m.restoreAtEnd()
	m.run("flotilla deployAllParallel -yes").exits(0)
}

// set puts settings into a host's configuration, as a module of its own.
func (m *machine) set(host, module string) {
	m.t.Helper()
	m.must(lab.Control, fmt.Sprintf("sed -i 's|imports = \\[|imports = [ { %s }|' hosts/%s/default.nix && grep -qF '%[1]s' hosts/%[2]s/default.nix", module, host))
}

// The main job, on real hosts: from freshly installed machines to the fleet's
// systems, then nothing to do, then one change.
func TestDeployToRealHosts(t *testing.T) {
	m := inLab(t)
	m.restoreAtEnd()

	ping := m.run("flotilla pingHosts").exits(0)
	for _, h := range lab.Hosts() {
		ping.row(h, "reached")
	}
	tested := m.run("flotilla testAllParallel").exits(0)
	for _, h := range lab.Hosts() {
		tested.row(h, "built")
	}

	before := m.settled("razer")
	m.run("flotilla deployAllParallel -yes").exits(0)
	for _, h := range lab.Hosts() {
		if now := m.settled(h); !strings.Contains(now, "-nixos-system-"+h+"-") {
			t.Errorf("%s runs %s", h, now)
		}
	}
	if strings.Contains(before, "installer") && m.settled("razer") == before {
		t.Error("razer was not switched")
	}

	// Again: every host is asked, none is touched.
	again := m.run("flotilla deployAllParallel -yes").exits(0)
	for _, h := range lab.Hosts() {
		again.row(h, "unchanged")
	}

	// One line of one host's module: that host and its unit change, others do not.
	others := []string{m.settled("p620"), m.settled("p510"), m.settled("dex5550")}
	pid := m.must("razer", "systemctl show --value --property MainPID razer-audio.service")
	m.must(lab.Control, `sed -i 's/RATE = "48000"/RATE = "96000"/' hosts/razer/audio.nix`)
	m.run("flotilla diff razer").exits(0).says("unit-razer-audio.service", "razer-audio.service")
	if state := m.must("razer", "cat /run/razer-audio/state"); !strings.Contains(state, "48000") {
		t.Errorf("diff changed the host: %s", state)
	}
	m.run("flotilla quickDeploy razer").exits(0).says("it runs", "wanted is", "razer-audio.service")
	if state := m.must("razer", "cat /run/razer-audio/state"); !strings.Contains(state, "96000") {
		t.Errorf("the unit did not change: %s", state)
	}
	if now := m.must("razer", "systemctl show --value --property MainPID razer-audio.service"); now == pid {
		t.Error("the unit was not restarted")
	}
	m.run("flotilla quickDeploy '*'").exits(0)
	if got := []string{m.settled("p620"), m.settled("p510"), m.settled("dex5550")}; strings.Join(got, " ") != strings.Join(others, " ") {
		t.Errorf("other hosts changed: %v", got)
	}
	if units := m.must("razer", "systemctl list-units --all --no-legend 'flotilla-activate-*' 'flotilla-commit-*' 'flotilla-compare-*'"); units != "" {
		t.Errorf("units left behind on razer: %s", units)
	}
}

// A second quickDeploy opens one ssh session over the connection of the first,
// as the host's own sshd tells.
func TestUnchangedHostCostsOneSession(t *testing.T) {
	m := inLab(t)
	m.deployed()
	count := func(what string) string {
		return m.must("p620", "journalctl --sync; journalctl --no-pager -o cat _COMM=sshd _COMM=sshd-session | grep -c '"+what+"' || true")
	}
	m.run("flotilla quickDeploy p620").exits(0)
	sessions, logins := count("Starting session"), count("Accepted publickey")
	m.run("flotilla quickDeploy p620").exits(0).says("p620: unchanged", "it already runs and boots")
	var before, after int
	fmt.Sscan(sessions, &before)
	fmt.Sscan(count("Starting session"), &after)
	if before == 0 || after != before+1 {
		t.Errorf("%d sessions, then %d: want one more", before, after)
	}
	if now := count("Accepted publickey"); now != logins {
		t.Errorf("%s logins, then %s: want no new one", logins, now)
	}
}

// A changed host costs at most four sessions, over the connection it has.
func TestChangedHostCostsFourSessions(t *testing.T) {
	m := inLab(t)
	m.deployed()
	count := func(what string) (n int) {
		fmt.Sscan(m.must("p510", "journalctl --sync; journalctl --no-pager -o cat _COMM=sshd _COMM=sshd-session | grep -c '"+what+"' || true"), &n)
		return n
	}
	m.set("p510", `environment.etc.motd.text = "four";`)
	sessions, handshakes := count("Starting session"), count("Accepted publickey")
	// Connections of its own, so that the first counts too.
	m.run("XDG_RUNTIME_DIR=$(mktemp -d) flotilla quickDeploy p510").exits(0)
	if n := count("Starting session") - sessions; n < 1 || n > 4 {
		t.Errorf("%d sessions", n)
	}
	if n := count("Accepted publickey") - handshakes; n != 2 {
		t.Errorf("%d handshakes, want the pool's and the confirmation's", n)
	}
}

// A host keeps the script that its units are run by, for root alone, and the activation
// and the commit after it are run from there; without it they are sent it again.
func TestScriptIsKeptThere(t *testing.T) {
	m := inLab(t)
	m.deployed()
	for _, user := range []string{"root", "deploy"} {
		m.must(lab.Control, `sed -i 's/user = "[a-z]*"/user = "`+user+`"/' fleet.toml`)
		deploy := func(text string) {
			m.set("p620", `environment.etc.motd.text = "`+user+text+`";`)
			m.run("flotilla quickDeploy p620").exits(0).says("runs and boots")
			m.settled("p620")
		}
		m.must("p620", "rm -f /run/flotilla/unit-* /run/ran")
		deploy("first")
		if got := m.must("p620", "stat -c '%U %a' /run/flotilla/*"); got != "root 600" {
			t.Errorf("as %s it left %s", user, got)
		}
		m.must("p620", `sed -i '1i echo "$1" >>/run/ran' /run/flotilla/unit-*`)
		deploy("second")
		if got := m.must("p620", "cat /run/ran"); got != "activate\ncommit" {
			t.Errorf("as %s ran from there: %q", user, got)
		}
		m.must("p620", "rm /run/flotilla/unit-* /run/ran")
	}
}

// A host whose live state equals what is wanted, but which would boot something
// else, is deployed; -force activates what is live already.
func TestBootEntryCounts(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.must("p510", "nix-env --profile /nix/var/nix/profiles/system --rollback")
	m.run("flotilla quickDeploy p510").exits(0).says("but boots")
	m.settled("p510")
	m.run("flotilla p510").exits(0).says("p510: unchanged")
	m.run("flotilla p510 -force").exits(0).says("asked for", "activating the configuration")
	m.settled("p510")
}

// The remote user may be an ordinary one with passwordless sudo.
func TestSudo(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.must(lab.Control, `sed -i 's/user = "root"/user = "deploy"/' fleet.toml`)
	m.set("p620", `environment.etc.motd.text = "sudo";`)
	m.run("flotilla quickDeploy p620").exits(0).says("runs and boots")
	deployed := m.settled("p620")
	m.run("flotilla rollback p620 -yes").exits(0)
	if m.settled("p620") == deployed {
		t.Error("not rolled back")
	}
	m.run("flotilla reboot p620 -yes").exits(0).says("p620: rebooted")
	m.settled("p620")
}

// Nix 2.34 evaluates, builds and deploys to hosts with 2.26.
func TestCompat(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.set("p510", `environment.etc.motd.text = "from another Nix";`)
	m.newer("nix --version").exits(0).says("2.34")
	for _, line := range []string{
		"flotilla testAllParallel", "flotilla quickDeploy p510", "flotilla quickDeploy p510", "flotilla diff p510",
		`sed -i 's/from another Nix/built there for another/' hosts/p510/default.nix && sed -i 's/^\[hosts.p510\]/&\nbuild-host = "target"/' fleet.toml && flotilla quickDeploy p510`,
		`sed -i 's/there for another/elsewhere/' hosts/p510/default.nix && sed -i 's/^build-host.*/build-host = "razer"/' fleet.toml && flotilla quickDeploy p510`,
	} {
		m.newer(line).exits(0)
	}
	m.settled("p510")
	m.builders("razer\nmax-jobs = 2")
	m.needs("p510", "", "compat:true")
	m.newer("FLOTILLA_BUILD_HOST=builders flotilla testHost p510").exits(0).says("1 on razer")
}
