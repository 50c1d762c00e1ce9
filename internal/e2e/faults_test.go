package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nixflotilla/flotilla/internal/lab"
)

// A host that is down is reported as such, with what to do, and delays and harms
// no other.
func TestHostIsDown(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.fault("dex5550 is off", m.PowerOff(t.Context(), "dex5550"))
	t.Cleanup(func() { m.powerOn("dex5550") })
	m.set("razer", `environment.etc.motd.text = "not harmed";`)
	m.run("flotilla plan").exits(3).row("dex5550", "unreachable").row("p620", "unchanged").
		says("razer: to deploy", "dex5550: survey failed:", "1 of 4 hosts not as wanted")
	o := m.run("flotilla deployAllParallel -yes").exits(3)
	o.row("dex5550", "unreachable").row("p620", "unchanged").says("Error: 1 of 4 hosts not as wanted", "dex5550: survey failed:")
	m.settled("razer")
	m.run("flotilla quickDeploy dex5550").exits(1)
	m.run("flotilla pingHosts").exits(3).row("dex5550", "unreachable").row("p510", "reached")
}

// After a power cut a host boots what was committed.
func TestPowerCutAfterDeploy(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.set("p510", `environment.etc.motd.text = "committed";`)
	m.run("flotilla quickDeploy p510").exits(0)
	want := m.settled("p510")
	m.fault("p510 is off", m.PowerOff(t.Context(), "p510"))
	m.powerOn("p510")
	if got := m.settled("p510"); got != want {
		t.Errorf("boots %s, not %s", got, want)
	}
	m.run("flotilla quickDeploy p510").exits(0).says("p510: unchanged")
}

// Each of these is one clear error; nothing on the host is changed by it, and
// the other hosts are deployed to as if nothing were.
func TestErrorsBeforeActivation(t *testing.T) {
	m := inLab(t)
	m.deployed()
	// Connections of its own, so that each case is met by a new one.
	const own = "XDG_RUNTIME_DIR=$(mktemp -d) "
	for _, c := range []struct {
		name, host    string
		prepare, mend string // run in control
		onHost, after string // run on the host
		module        string
		outcome       string
		says          []string
	}{
		{name: "wrong host key", host: "p620", outcome: "failed",
			prepare: `cp ~/.ssh/known_hosts ~/kh && sed -i '/p510/d; s/^p620[^ ]* /other /' ~/.ssh/known_hosts && K=$(grep dex5550 ~/kh | cut -d" " -f2-) && echo "p620 $K" >> ~/.ssh/known_hosts && grep p510 ~/kh >> ~/.ssh/known_hosts`,
			mend:    "mv ~/kh ~/.ssh/known_hosts", says: []string{"host key changed", "/root/.ssh/known_hosts, line ", "has another key for it", "SHA256:", "ssh-keygen -R p620 -f /root/.ssh/known_hosts"}},
		{name: "unknown host key", host: "p620", outcome: "failed",
			prepare: "cp ~/.ssh/known_hosts ~/kh && sed -i '/p620/d' ~/.ssh/known_hosts",
			mend:    "mv ~/kh ~/.ssh/known_hosts", says: []string{"host key", "known_hosts"}},
		{name: "refused login", host: "razer", outcome: "failed",
			prepare: `sed -i 's/^\[hosts.razer\]/[hosts.razer]\nuser = "nobody"/' fleet.toml`, says: []string{"log-in refused"}},
		{name: "no root there", host: "razer", outcome: "failed", module: `environment.etc.motd.text = "x";`,
			prepare: `sed -i 's/^\[hosts.razer\]/[hosts.razer]\nuser = "guest"/' fleet.toml`, says: []string{"sudo, doas or run0 without a password"}},
		{name: "no Nix there", host: "dex5550", outcome: "failed", module: `environment.etc.motd.text = "x";`,
			onHost: "mkdir /root/away && mv /usr/bin/nix /usr/bin/nix-* /root/away", after: "mv /root/away/* /usr/bin && rmdir /root/away",
			says: []string{"there is no Nix on the host", "install NixOS"}},
		{name: "evaluation error", host: "razer", outcome: "failed", module: `lab.throw = "no such sound card";`,
			says: []string{"razer: evaluate failed: ", "no such sound card"}},
		{name: "failed assertion", host: "razer", outcome: "failed", module: `lab.failAssertion = "a laptop needs a lid";`,
			says: []string{"Failed assertions", "- a laptop needs a lid"}},
		{name: "syntax error", host: "razer", outcome: "failed", prepare: "echo '{' > hosts/razer/audio.nix",
			says: []string{"hosts/razer/audio.nix:", "syntax error"}},
		{name: "build failure", host: "razer", outcome: "failed", module: "lab.failBuild = true;",
			says: []string{"cannot build lab-fail-build-1.0.drv", "undefined reference to 'lab'", "nix log /nix/store/"}},
		{name: "pre-switch check", host: "razer", outcome: "failed", module: "lab.failPreSwitchCheck = true;",
			says: []string{"the lab's check refuses", "exit code 1", "nothing was changed on the host: it runs and boots "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &machine{t: t, Lab: m.Lab}
			m.restoreAtEnd()
			before := m.systems(c.host)
			if c.module != "" {
				m.set(c.host, c.module)
			}
			if c.prepare != "" {
				m.must(lab.Control, c.prepare)
			}
			if c.onHost != "" {
				m.must(c.host, c.onHost)
			}
			o := m.run(own + "flotilla deployAllParallel -yes")
			if c.mend != "" {
				m.must(lab.Control, c.mend)
			}
			if c.after != "" {
				m.must(c.host, c.after)
			}
			o.exits(3).row(c.host, c.outcome).says(c.says...).says("Error: 1 of 4 hosts not as wanted")
			if strings.Contains(o.stderr, "while evaluating") || strings.Contains(o.stderr, "while calling") {
				t.Errorf("a wall of trace:\n%s", o.stderr)
			}
			if after := m.systems(c.host); after != before {
				t.Errorf("%s changed: %+v, then %+v", c.host, before, after)
			}
		})
	}
}

// A disk that is too full for what has to be copied is found out before the
// copy, by plans and by deployments; one that gets full in the middle fails the
// copy with a word on the disk. The host runs and boots what it did, and the next
// try after freeing space works.
func TestDiskFull(t *testing.T) {
	m := inLab(t)
	m.deployed()
	before := m.systems("razer")
	// Other tests may have left some.
	big := func() string { return m.must("razer", "ls -d /nix/store/*-lab-big-* 2>/dev/null | wc -l") }
	had := big()
	m.set("razer", "lab.bigPackageMiB = 40;")
	m.fault("razer's disk is full", m.FillDisk(t.Context(), "razer", 8<<20))
	freed := false
	free := func() {
		if !freed {
			freed = true
			m.fault("razer's disk is freed", m.FreeDisk(t.Context(), "razer"))
		}
	}
	t.Cleanup(free)
	m.run("flotilla plan").exits(0).says("copy: ", "no room for that", "units: not known", "razer", "warning: the host's store has no room")
	m.run("flotilla deployAllParallel -yes").exits(3).row("razer", "failed").row("p620", "unchanged").
		says("razer: copy failed: the host's store has ", "MiB to copy", "free space there (nix-collect-garbage)")
	if n := big(); n != had {
		t.Errorf("something was copied: %s, not %s", n, had)
	}

	// Many small paths take more of a disk than their contents are.
	m.must(lab.Control, "git reset --quiet --hard")
	m.set("razer", "lab.extraPackages = 300;")
	m.fault("razer's disk is full", m.FillDisk(t.Context(), "razer", 1<<20))
	m.run("flotilla quickDeploy razer").exits(1).
		says("razer: copy failed: nix: cannot copy", "MiB left: free space there")
	if after := m.systems("razer"); after != before {
		t.Errorf("razer changed: %+v, then %+v", before, after)
	}
	free()
	m.run("flotilla quickDeploy razer").exits(0)
	m.settled("razer")
}

// What switch-to-configuration's exit codes make of a host: whatever goes wrong, the
// old system is brought back, unless that is not wanted.
func TestActivationOutcomes(t *testing.T) {
	m := inLab(t)
	m.deployed()
	for _, c := range []struct {
		name, module, prepare, target, outcome string
		code                                   int
		says                                   []string
	}{
		{name: "failed unit", module: "lab.failUnit = true;", target: "quickDeploy p510", outcome: "rolled-back", code: 4,
			says: []string{"units failed", "lab-fail.service", "cannot start: the lab says so", "all of it: journalctl -u flotilla-activate-", "the old system was brought back: it runs and boots "}},
		{name: "failed unit kept", module: "lab.failUnit = true;", prepare: `printf '\n[activation]\non-degraded = "keep"\n' >>fleet.toml`, target: "quickDeploy p510", outcome: "degraded", code: 1,
			says: []string{"units failed", "lab-fail.service", "if it lost power now, it would boot "}},
		{name: "failed activation script", module: "lab.failActivation = true;", target: "quickDeploy p510", outcome: "rolled-back", code: 4,
			says: []string{"the activation script failed", "the old system was brought back: it runs and boots "}},
		{name: "no rollback", module: "lab.failActivation = true;", target: "emergencyDeploy p510 -yes -noRollback", outcome: "failed", code: 1,
			says: []string{"the activation script failed", "if it lost power now, it would boot "}},
		{name: "boot loader", module: "lab.failBootloader = true;", target: "deployFast p510", outcome: "rolled-back", code: 4,
			says: []string{"making it the one that boots failed", "no space left on /boot", "the old system was brought back: it runs and boots "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &machine{t: t, Lab: m.Lab}
			t.Cleanup(func() { m.run("flotilla quickDeploy p510").exits(0); m.settled("p510") })
			m.restoreAtEnd()
			before := m.systems("p510")
			m.set("p510", c.module)
			if c.prepare != "" {
				m.must(lab.Control, c.prepare)
			}
			// The second time too: what failed is not taken for done.
			for range 2 {
				m.run("flotilla " + c.target).exits(c.code).says("p510: " + c.outcome).says(c.says...)
				after := m.systems("p510")
				if after.boot != before.boot || after.profile != before.profile {
					t.Errorf("what boots changed: %+v, then %+v", before, after)
				}
				if back := after.current == before.current; back != (c.outcome == "rolled-back") {
					t.Errorf("runs %s, before %s", after.current, before.current)
				}
				m.clear("p510")
			}
		})
	}
}

// A host that lost power between setting the profile and making the boot entry
// is not taken for unchanged.
func TestCutShortCommit(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.must("p510", "echo cut > /nix/var/nix/flotilla-uncommitted && echo /nix/store/other > /boot/flotilla-lab/default")
	for _, line := range []string{"status -on=p510", "status -fast", "generations p510"} {
		m.run("flotilla " + line).exits(0).says("not known: a commit was cut short; its profile is ")
	}
	m.run("flotilla quickDeploy p510").exits(0).says("cut short before its boot entry was made")
	m.settled("p510")
	m.run("flotilla quickDeploy p510").exits(0).says("p510: unchanged")
}

// A system with another init interface cannot be switched to: diff says so, a
// deployment stages it, and after a boot it runs.
func TestStagedForBoot(t *testing.T) {
	m := inLab(t)
	m.deployed()
	before := m.settled("p510")
	m.set("p510", "boot.initInterfaceVersion = 3;")
	m.run("flotilla diff p510").exits(0).says("can only be booted into")
	m.run("flotilla quickDeploy p510").exits(0).says("p510: staged")
	if s := m.systems("p510"); s.current != before || s.profile == before || s.boot != s.profile {
		t.Errorf("not staged: %+v", s)
	}
	m.fault("p510 is off", m.PowerOff(t.Context(), "p510"))
	m.powerOn("p510")
	if m.settled("p510") == before {
		t.Error("the staged system was not booted")
	}
	m.run("flotilla quickDeploy p510").exits(0).says("p510: unchanged")

	// Back over the same hurdle.
	m.must(lab.Control, "git reset --quiet --hard")
	m.run("flotilla quickDeploy p510").exits(0).says("p510: staged")
	m.fault("p510 is off", m.PowerOff(t.Context(), "p510"))
	m.powerOn("p510")
	if m.settled("p510") != before {
		t.Error("the old system was not booted again")
	}
}

// The connection is cut off again and again while an activation and its commit
// run: they happen once, and their true end is reported.
func TestConnectionKeepsDropping(t *testing.T) {
	m := inLab(t)
	m.deployed()
	for i := range 3 {
		m.must(lab.Control, "git reset --quiet --hard")
		m.set("p510", fmt.Sprintf(`lab.activationSeconds = %d;`, 3+i))
		done := make(chan outcome, 1)
		go func() { done <- m.run("flotilla quickDeploy p510") }()
		m.must("p510", "while ! systemctl is-active --quiet 'flotilla-activate-*.service'; do sleep 0.1; done")
		var o outcome
		for n, running := 0, true; running; n++ {
			if n < 5 {
				m.runOn("p510", "pkill -x sshd-session; sleep 0.8")
			}
			select {
			case o = <-done:
				running = false
			default:
			}
		}
		o.exits(0).says("the connection dropped", "runs and boots")
		if n := strings.Count(o.stderr, "sleeping"); n != 1 {
			t.Errorf("activated %d times:\n%s", n, o.stderr)
		}
		m.settled("p510")
		if units := m.must("p510", "systemctl list-units --all --no-legend 'flotilla-activate-*' 'flotilla-commit-*'"); units != "" {
			t.Errorf("left behind: %s", units)
		}
	}
}

// A host whose shell hangs is given up, and holds up no other.
func TestHostHangs(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.must("p510", "printf '#!/bin/sh\\nexec sleep 100\\n' > /root/hang && chmod 755 /root/hang && usermod -s /root/hang root")
	t.Cleanup(func() { m.must("p510", "usermod -s /bin/bash root") })
	m.must(lab.Control, `printf '[ssh]\nconnect-timeout = "1s"\n' >> fleet.toml`)
	// A new connection: the shell is looked up at log-in.
	m.run("XDG_RUNTIME_DIR=$(mktemp -d) flotilla pingHosts").exits(3).row("p510", "unreachable").row("p620", "reached").says("did not answer in time")
}

// Another switch holds the host's lock.
func TestLocked(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.set("p510", `environment.etc.motd.text = "locked";`)
	m.must("p510", "mkdir -p /run/nixos && systemd-run --quiet --unit=lab-holder flock /run/nixos/switch-to-configuration.lock sleep infinity")
	t.Cleanup(func() { m.must("p510", "systemctl stop lab-holder") })
	// The unit is up before its flock is.
	m.must("p510", "while flock -n /run/nixos/switch-to-configuration.lock true; do :; done")
	m.run("flotilla quickDeploy p510").exits(1).says("p510: locked", "another switch holds the host's lock", "nothing was changed on the host: it runs and boots ")
}

// A new kernel is live after a reboot only: the deployment says so.
func TestRebootNeeded(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.fault("p620 off", m.PowerOff(t.Context(), "p620"))
	m.powerOn("p620")
	m.set("p620", `environment.etc.motd.text = "no reboot";`)
	m.run("flotilla quickDeploy p620").exits(0).says("p620: switched,")
	m.set("p620", `boot.kernelParams = [ "lab.quiet" ];`)
	m.run("flotilla quickDeploy p620").exits(0).says("p620: switched-needs-reboot")
}

// The link goes down in the middle of an activation and comes back: the
// activation has gone on, and its true end is reported.
func TestConnectionDropsDuringActivation(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.set("p510", "lab.activationSeconds = 20;")
	done := make(chan outcome, 1)
	go func() { done <- m.run("flotilla quickDeploy p510") }()
	m.must("p510", "while ! systemctl is-active --quiet 'flotilla-activate-*.service'; do sleep 0.1; done")
	m.fault("link cut", m.Cut(t.Context(), "p510"))
	// Until ssh has noticed, which its keepalive sees to.
	m.must("p510", "sleep 25")
	m.fault("link restored", m.Restore(t.Context(), "p510"))
	o := <-done
	o.exits(0).says("the connection dropped", "runs and boots")
	m.settled("p510")
}

// Ctrl-C in the middle of an activation: it comes to its end, is committed, and
// the exit code says that the run was cancelled.
func TestInterruptDuringActivation(t *testing.T) {
	m := inLab(t)
	m.deployed()
	before := m.settled("p510")
	m.set("p510", "lab.activationSeconds = 4;")
	done := make(chan outcome, 1)
	go func() { done <- m.run("exec flotilla quickDeploy p510") }()
	m.must("p510", "while ! systemctl is-active --quiet 'flotilla-activate-*.service'; do sleep 0.1; done")
	m.must(lab.Control, "kill -INT $(pidof flotilla)")
	o := <-done
	o.exits(130).says("starting nothing new", "runs and boots", "Error: interrupted: p510: switched")
	if m.settled("p510") == before {
		t.Error("the activation was not brought to its end")
	}
}

// fault wants a fault to be in force.
func (m *machine) fault(what string, err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatalf("%s: %v", what, err)
	}
}

func (m *machine) powerOn(host string) {
	m.t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), 2*time.Minute)
	defer stop()
	m.fault(host+" is on", m.PowerOn(ctx, host))
}
