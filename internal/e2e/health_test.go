package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/internal/lab"
)

// checks appends health checks of p510 to fleet.toml: its media server, seen from
// here and there, and a mark that a test can make the system carry.
func (m *machine) checks() {
	m.t.Helper()
	m.must(lab.Control, `cat >>fleet.toml <<'END'

[health]
deadline = "4s"

[health.checks.jellyfin]
on = "p510"
http = "http://{address}:8096/"
body = "<[a-z]+>"

[health.checks.service]
on = "@media"
unit = "jellyfin.service"

[health.checks.mark]
on = "p510"
command = ["sh", "-c", "! grep $0 /etc/motd", "unhealthy"]

[health.checks.here]
on = "p510"
command-here = ["sh", "-c", "test -e fleet.toml && grep -q $FLOTILLA_ADDRESS ~/.ssh/known_hosts && echo $FLOTILLA_HOST and $1", "sh", "$0; 'x'"]

[health.checks.broken]
on = "p620"
tcp = 4999
END`)
}

// A system whose health checks fail is not made the one that boots, however often
// it is deployed; one that passes is. What failed on the old, confirmed system is
// told and not held against the new one.
func TestHealthChecks(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.checks()
	m.set("p510", `environment.etc.motd.text = "well";`)
	m.run("flotilla quickDeploy p510").exits(0).says("jellyfin: 200 OK, body as wanted", "service: jellyfin.service is active (running)",
		"mark: exit code 0", "here: exit code 0: p510 and $0; 'x'", "4 checks passed", "p510: switched")
	well := m.settled("p510")

	m.must(lab.Control, "sed -i 's/well/unhealthy/' hosts/p510/default.nix")
	// The second time too: the old system is healthy again, so that the failure is the
	// new one's own.
	for range 2 {
		m.run("flotilla quickDeploy p510").exits(4).says("p510: rolled-back", "p510: health failed: 1 of 4 checks failed: mark",
			"mark: exit code 1: unhealthy (the last of ", "the old system was brought back: it runs and boots ", "correct [health.checks.mark]")
		m.asBefore("p510", systems{well, well, well})
	}
	if units := m.must("p510", "systemctl list-units --all --no-legend 'flotilla-activate-*' 'flotilla-commit-*'"); units != "" {
		t.Errorf("left behind: %s", units)
	}

	m.run("flotilla deployFast p510").exits(0).says("p510: switched")
	unhealthy := m.settled("p510")
	m.set("p510", `environment.etc."second".text = "still";`)
	m.run("flotilla quickDeploy p510").exits(0).says("warning: mark fails, as it did before the deployment: exit code 1: unhealthy",
		"3 of 4 checks passed; what fails had failed before", "p510: switched")
	if m.settled("p510") == unhealthy {
		t.Error("not deployed")
	}

	m.must(lab.Control, "sed -i 's/unhealthy/well again/' hosts/p510/default.nix")
	m.run("flotilla emergencyDeploy p510 -yes").exits(0)
	m.run("flotilla health -on=p510").exits(0).says("4 checks passed", "p510: reached")
}

// health tells of every host, and changes nothing: one that fails a check, one
// that has none, one without sshd.
func TestHealthTarget(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.checks()
	m.must("dex5550", "systemctl stop ssh.service")
	t.Cleanup(func() { m.must("dex5550", "systemctl start ssh.service") })
	// A connection of its own: the one that is kept outlives sshd.
	o := m.run("XDG_RUNTIME_DIR=$(mktemp -d) flotilla health").exits(3)
	o.row("p620", "degraded").row("p510", "reached").row("razer", "reached").row("dex5550", "unreachable")
	o.says("1 of 1 check failed: broken", "broken: connection refused", "4 checks passed", "answers; no health check is for it")
	o = m.run("flotilla health -on=p620,p510 -json").exits(3)
	o.says(`{"check":"broken","ok":false,"answer":"connection refused","tries":1,`, `{"check":"service","ok":true,"answer":"jellyfin.service is active (running)","tries":1,`)
	m.run("flotilla health -on=p620 -wait").exits(1).says("broken: connection refused (the last of ")
}

// Ctrl-C while the checks run: they come to their end and the host is committed.
func TestInterruptDuringHealthChecks(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.must(lab.Control, `printf '\n[health.checks.mark]\ncommand = ["test", "-e", "/run/lab-healthy"]\n' >>fleet.toml`)
	m.must("p510", "touch /run/lab-healthy")
	m.set("p510", "lab.activationSeconds = 2;")
	before := m.settled("p510")
	done := make(chan outcome, 1)
	go func() { done <- m.run("FLOTILLA_JSON=1 exec flotilla quickDeploy p510 >/tmp/events 2>&1") }()
	m.must("p510", "while ! systemctl is-active --quiet 'flotilla-activate-*.service'; do sleep 0.1; done; rm /run/lab-healthy")
	m.must(lab.Control, `while ! grep -q '"progress".*"step":"health"' /tmp/events; do sleep 0.1; done; kill -INT $(pidof flotilla)`)
	m.must(lab.Control, `while ! grep -q 'starting nothing new' /tmp/events; do sleep 0.1; done`)
	m.must("p510", "touch /run/lab-healthy")
	(<-done).exits(130)
	if m.settled("p510") == before {
		t.Errorf("not committed:\n%s", m.must(lab.Control, "cat /tmp/events"))
	}
}

// event is what these tests read of docs/events.md.
type event struct{ Time, Kind, Host, Step, Outcome string }

func (o outcome) events() []event {
	o.t.Helper()
	var all []event
	for line := range strings.Lines(o.stdout) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			o.t.Fatalf("%q: %v", line, err)
		}
		all = append(all, e)
	}
	return all
}

// A later wave is activated only once the one before has ended, but built and
// copied to before that.
func TestRolloutInWaves(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.must(lab.Control, `printf '\n[rollout]\nwaves = ["p510", "@laptop"]\npause = "1s"\n' >>fleet.toml`)
	for _, h := range lab.Hosts() {
		m.set(h, `environment.etc.motd.text = "in waves";`)
	}
	m.set("p510", "lab.activationSeconds = 4;")
	events := m.run("flotilla deployAllParallel -yes -json").exits(0).events()
	find := func(kind, host, step string) int {
		i := slices.IndexFunc(events, func(e event) bool { return e.Kind == kind && e.Host == host && e.Step == step })
		if i < 0 {
			t.Fatalf("no event %s of %s in %s", kind, host, step)
		}
		return i
	}
	for _, h := range lab.Hosts() {
		m.settled(h)
		if h != "p510" && find("done", h, "copy") > find("result", "p510", "") {
			t.Errorf("%s was not made ready while p510 was being activated", h)
		}
	}
	if find("result", "p510", "") > find("started", "razer", "activate") {
		t.Error("razer did not wait for p510")
	}
	for _, h := range []string{"p620", "dex5550"} {
		if find("result", "razer", "") > find("started", h, "activate") {
			t.Errorf("%s did not wait for razer", h)
		}
	}
}

// Once too many hosts have not ended well, the hosts of later waves are skipped
// and untouched.
func TestMaxFailures(t *testing.T) {
	m := inLab(t)
	m.deployed()
	t.Cleanup(func() { m.run("flotilla quickDeploy p510").exits(0); m.settled("p510") })
	m.restoreAtEnd()
	m.must(lab.Control, `printf '\n[rollout]\nwaves = ["p510"]\nmax-failures = 0\n' >>fleet.toml`)
	m.set("p510", "lab.failUnit = true;")
	m.set("razer", `environment.etc.motd.text = "skipped";`)
	before := m.settled("razer")
	m.run("flotilla deployAllParallel -yes").exits(4).row("p510", "rolled-back").row("razer", "skipped").row("p620", "unchanged").
		says("not tried, because p510 ended as rolled-back (rollout.max-failures is 0)")
	if m.settled("razer") != before {
		t.Error("razer was touched")
	}
}
