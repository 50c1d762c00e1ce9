package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/internal/lab"
)

// configure puts lines into a host's section of fleet.toml.
func (m *machine) configure(host, lines string) {
	m.t.Helper()
	m.must(lab.Control, fmt.Sprintf(`sed -i 's/^\[hosts.%s\]/&\n%s/' fleet.toml && grep -qF '%[2]s' fleet.toml`, host, lines))
}

// has reports whether a path is valid in a machine's store.
func (m *machine) has(host, path string) bool {
	m.t.Helper()
	return m.runOn(host, "nix-store --check-validity "+path).code == 0
}

// A system that is built on its target is built there and nowhere else, takes no
// copy, and costs no more sessions; deployLocalBuild builds here all the same.
func TestBuildOnTarget(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.configure("p510", `build-host = "target"`)
	m.set("p510", `environment.etc.motd.text = "built there";`)
	count := func() (n int) {
		fmt.Sscan(m.must("p510", "journalctl --sync; journalctl --no-pager -o cat _COMM=sshd _COMM=sshd-session | grep -c 'Starting session' || true"), &n)
		return n
	}
	before := count()
	o := m.run("flotilla quickDeploy p510").exits(0).says(" on p510", "runs and boots")
	if n := count() - before; n < 1 || n > 4 {
		t.Errorf("%d sessions", n)
	}
	if strings.Contains(o.stderr, "│ copy ") {
		t.Errorf("something was copied:\n%s", o.stderr)
	}
	if now := m.settled("p510"); m.has(lab.Control, now) {
		t.Errorf("%s was built here too", now)
	}

	m.set("p510", `environment.etc.issue.text = "tested there";`)
	o = m.run("flotilla buildAllParallel").exits(0)
	path := strings.TrimPrefix(strings.TrimSuffix(line(o.stdout, "p510 "), " on p510"), "p510 ")
	if !m.has("p510", path) || m.has(lab.Control, path) {
		t.Fatalf("%q is not on p510 alone:\n%s", path, o.stdout)
	}
	// No garbage collector may take it before the answer to quickAll's question.
	if roots := m.must("p510", "nix-store --query --roots "+path); !strings.Contains(roots, "/flotilla/roots/") {
		t.Errorf("nothing keeps %s: %q", path, roots)
	}
	m.run("flotilla quickAll -yes").exits(0)
	if now := m.settled("p510"); now != path {
		t.Errorf("p510 runs %s, built was %s", now, path)
	}

	m.set("p510", `environment.etc.release.text = "built here";`)
	m.run("flotilla diff p510").exits(0).says("p510: to deploy", "etc-release", "on p510: ", "copy: nothing that the host has not")
	m.run("flotilla deployLocalBuild p510").exits(0).says("runs and boots")
	if now := m.settled("p510"); !m.has(lab.Control, now) {
		t.Errorf("%s was not built here", now)
	}
}

// A third host builds: an ordinary user of it, who need not be trusted there.
// Its log is where the failure's hint says; if it is down, that is what is said,
// and other hosts are not harmed.
func TestBuildOnThirdHost(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.configure("razer", `build-host = "p620"`)
	m.configure("p620", `user = "guest"`)
	m.set("razer", `environment.etc.motd.text = "built on p620";`)
	m.run("flotilla quickDeploy razer").exits(0).says(" on p620", "runs and boots")
	if now := m.settled("razer"); !m.has("p620", now) {
		t.Errorf("p620 does not have %s", now)
	}

	m.set("razer", "lab.failBuild = true;")
	o := m.run("flotilla testHost razer").exits(1).
		says("razer: build failed: cannot build lab-fail-build-1.0.drv on p620", "undefined reference to 'lab'", "on p620: nix log /nix/store/")
	_, drv, _ := strings.Cut(line(o.stderr, "nix log "), "nix log ")
	if log := m.must("p620", "nix log "+drv); !strings.Contains(log, "undefined reference") {
		t.Errorf("p620's log of %q: %s", drv, log)
	}

	m.must(lab.Control, "sed -i 's/lab.failBuild = true;//' hosts/razer/default.nix")
	m.set("razer", `environment.etc.issue.text = "p620 is gone";`)
	before := m.systems("razer")
	m.fault("p620 is cut off", m.Cut(t.Context(), "p620"))
	t.Cleanup(func() { m.fault("p620 is back", m.Restore(context.Background(), "p620")) })
	m.run("XDG_RUNTIME_DIR=$(mktemp -d) flotilla deployAllParallel -on=razer,p510 -yes").exits(3).row("razer", "unreachable").row("p510", "unchanged").
		says("razer: build failed: build host p620: ")
	if after := m.systems("razer"); after != before {
		t.Errorf("razer changed: %+v, then %+v", before, after)
	}
}

// Ctrl-C ends a build on another host: no builder of it is left there.
func TestInterruptRemoteBuild(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.configure("p510", `build-host = "razer"`)
	m.must(lab.Control, `sed -i 's|imports = \[|imports = [ ({ pkgs, ... }: { environment.systemPackages = [ (pkgs.runCommand "lab-endless-1" { } "sleep 7654") ]; })|' hosts/p510/default.nix`)
	done := make(chan outcome, 1)
	go func() { done <- m.run("exec flotilla testHost p510") }()
	m.must("razer", "while ! pgrep -f -x 'sleep 7654'; do sleep 0.1; done")
	m.must(lab.Control, "kill -INT $(pidof flotilla)")
	o := <-done
	o.exits(130).says("starting nothing new", "p510: cancelled")
	m.must("razer", "for i in $(seq 50); do pgrep -f -x 'sleep 7654' || exit 0; sleep 0.1; done; exit 1")
}

// A host fetches from its own substituters what they have; one that is down costs
// a warning and some time.
func TestSubstituteOnTarget(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.configure("razer", "substitute-on-target = true")
	m.set("razer", `environment.etc.motd.text = "fetched";`)
	conf := m.must("razer", "cat /etc/nix/nix.conf")
	substituter := func(url string) {
		m.must("razer", "sed -i 's|^substituters.*|substituters = "+url+"|' /etc/nix/nix.conf")
	}
	t.Cleanup(func() { m.must("razer", "cat >/etc/nix/nix.conf <<'END'\n"+conf+"\nEND\nrm -rf /root/cache") })
	m.must(lab.Control, `rm -rf /root/cache; nix copy --to file:///root/cache .#nixosConfigurations.razer.config.system.build.toplevel && tar -C /root -c cache | ssh -o BatchMode=yes root@razer tar -C /root -x; rm -r /root/cache`)
	substituter("file:///root/cache?trusted=1")
	m.run("flotilla quickDeploy razer").exits(0).says("0 paths, and ", " from its substituters", "runs and boots")
	m.settled("razer")

	substituter("http://127.0.0.1:1")
	m.set("razer", `environment.etc.issue.text = "sent";`)
	m.run("flotilla quickDeploy razer").exits(0).says("the host says: ", "127.0.0.1:1", "runs and boots")
	m.settled("razer")
}

// line is the first line that has a text.
func line(text, part string) string {
	for l := range strings.Lines(text) {
		if strings.Contains(l, part) {
			return strings.TrimSpace(l)
		}
	}
	return ""
}
