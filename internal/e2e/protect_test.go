package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/internal/lab"
)

// windows sets how long p510 waits: for the end of an activation, and to be confirmed.
func (m *machine) windows(timeout, confirm string) {
	m.t.Helper()
	m.must(lab.Control, fmt.Sprintf(`printf '\n[activation]\ntimeout = "%s"\nconfirm = "%s"\n' >>fleet.toml`, timeout, confirm))
}

// waitingRoom is a health check that a test lets pass by touching /run/lab-healthy
// there, and a deployment that has come to it. The function waits for its end.
func (m *machine) waitingRoom(deadline string) (end func() outcome) {
	m.t.Helper()
	m.must(lab.Control, fmt.Sprintf(`printf '\n[health]\ndeadline = "%s"\n[health.checks.mark]\ncommand = ["test", "-e", "/run/lab-healthy"]\n' >>fleet.toml`, deadline))
	m.must("p510", "touch /run/lab-healthy")
	m.set("p510", `environment.etc.motd.text = "waits"; lab.activationSeconds = 1;`)
	done := make(chan outcome, 1)
	go func() { done <- m.run("FLOTILLA_JSON=1 exec flotilla quickDeploy p510 >/tmp/events 2>&1") }()
	m.must("p510", "while ! systemctl is-active --quiet 'flotilla-activate-*.service'; do sleep 0.1; done; rm /run/lab-healthy")
	m.must(lab.Control, `while ! grep -q '"progress".*"step":"health"' /tmp/events; do sleep 0.1; done`)
	return func() outcome { return <-done }
}

// unlocked waits until nothing has the host's lock any more.
func (m *machine) unlocked(host string) {
	m.t.Helper()
	m.must(host, "for n in $(seq 600); do [ -L /run/flotilla/lock ] || exit 0; sleep 0.1; done; ls -lR /run/flotilla; exit 1")
}

// clear wants nothing of a deployment to be left on a host: no lock, no timer, no
// unit.
func (m *machine) clear(host string) {
	m.t.Helper()
	m.unlocked(host)
	// A guard that has freed the lock still has its own unit to end.
	m.must(host, "while systemctl is-active --quiet 'flotilla-guard-*.service' 'flotilla-confirm-*.service'; do sleep 0.1; done")
	for what, line := range map[string]string{
		"units": "systemctl list-units --all --no-legend --plain 'flotilla-*' | grep -v flotilla-lab || :",
		"lock":  "readlink /run/flotilla/lock || :",
	} {
		if left := m.must(host, line); left != "" {
			m.t.Errorf("%s: %s left behind: %s", host, what, left)
		}
	}
}

// asBefore wants a host to be what it was, with nothing left behind.
func (m *machine) asBefore(host string, before systems) {
	m.t.Helper()
	m.clear(host)
	if now := m.systems(host); now != before {
		m.t.Errorf("%s changed: %+v, then %+v", host, before, now)
	}
}

// A configuration that cannot be reached any more, or that never comes to be, is
// taken back by the host itself.
func TestGuardBringsBack(t *testing.T) {
	m := inLab(t)
	m.deployed()
	for _, c := range []struct {
		name, module, timeout, confirm string
		says                           []string
		motd                           bool
	}{
		{name: "sshd stopped", timeout: "60s", confirm: "4s",
			module: `systemd.services.lab-no-sshd = { wantedBy = [ "multi-user.target" ]; script = "systemctl stop ssh.service"; ` +
				`serviceConfig = { Type = "oneshot"; RemainAfterExit = true; ExecStop = "/bin/systemctl start --no-block ssh.service"; }; };`,
			says: []string{"warning: no new connection to the host can be made", "Connection refused", "it was not confirmed within 4s"}},
		{name: "key refused", timeout: "60s", confirm: "4s",
			module: `systemd.services.lab-no-key = { wantedBy = [ "multi-user.target" ]; script = "mv /root/.ssh/authorized_keys /root/.ssh/lab-away"; ` +
				`serviceConfig = { Type = "oneshot"; RemainAfterExit = true; ExecStop = "/bin/mv /root/.ssh/lab-away /root/.ssh/authorized_keys"; }; };`,
			says: []string{"warning: no new connection to the host can be made", "log-in refused", "it was not confirmed within 4s"}},
		{name: "interface down", timeout: "60s", confirm: "8s", module: "lab.cutNetwork = true;",
			says: []string{"nothing was heard from the host for 5s: it is still at work, or cannot be reached", "it was not confirmed within 8s (nothing was heard from it for "}},
		{name: "hangs", timeout: "3s", confirm: "60s", module: "lab.activationSeconds = 600;",
			says: []string{"its activation did not end within 3s", "sleeping 600 s"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &machine{t: t, Lab: m.Lab}
			m.restoreAtEnd()
			before := m.systems("p510")
			m.windows(c.timeout, c.confirm)
			m.set("p510", c.module)
			m.run("flotilla quickDeploy p510").exits(4).says("p510: rolled-back", "the host went back to the old system by itself", "it runs and boots ", "as before").says(c.says...)
			m.asBefore("p510", before)
		})
	}
	// The next run is told, by the host.
	m.run("flotilla status").exits(0).says("! a deployment of ", "-p510-", "by root@control (pid ", "was rolled back at ", ": its activation did not end within 3s")
	m.run("flotilla metrics -fast").exits(0).says(`flotilla_host_went_back_timestamp_seconds{host="p510"} 1`)
	m.run("flotilla confirm p510").exits(4).says("nothing waits to be confirmed: a deployment of ")
	m.set("p510", `environment.etc.motd.text = "well";`)
	m.run("flotilla quickDeploy p510").exits(0)
	if o := m.run("flotilla status").exits(0); strings.Contains(o.stdout, "rolled back") {
		t.Errorf("told again, after one that went well:\n%s", o.stdout)
	}
}

// The guard needs neither the network nor room on a disk.
func TestGuardNeedsLittle(t *testing.T) {
	m := inLab(t)
	m.deployed()
	before := m.systems("p510")
	m.windows("60s", "4s")
	m.set("p510", `lab.cutNetwork = true; lab.activationSeconds = 2;`)
	done := make(chan outcome, 1)
	go func() { done <- m.run("flotilla quickDeploy p510") }()
	m.must("p510", "while ! systemctl is-active --quiet 'flotilla-activate-*.service'; do sleep 0.1; done")
	m.fault("p510's disk is full", m.FillDisk(t.Context(), "p510", 0))
	t.Cleanup(func() { m.fault("p510's disk is freed", m.FreeDisk(context.Background(), "p510")) })
	o := <-done
	o.exits(4).says("p510: rolled-back", "it was not confirmed within 4s")
	m.asBefore("p510", before)
}

// A controller that is killed, at whichever point, leaves a host that goes back by
// itself.
func TestControllerKilled(t *testing.T) {
	m := inLab(t)
	m.deployed()
	before := m.systems("p510")
	t.Run("during the activation", func(t *testing.T) {
		m := &machine{t: t, Lab: m.Lab}
		m.restoreAtEnd()
		m.windows("60s", "2s")
		m.set("p510", "lab.activationSeconds = 3;")
		done := make(chan outcome, 1)
		go func() { done <- m.run("exec flotilla quickDeploy p510") }()
		m.must("p510", "while ! systemctl is-active --quiet 'flotilla-activate-*.service'; do sleep 0.1; done")
		m.must(lab.Control, "kill -KILL $(pidof flotilla)")
		<-done
		m.asBefore("p510", before)
		m.run("flotilla quickDeploy p510").exits(0).says("was rolled back at ", "not confirmed within 2s", "p510: switched")
		before = m.systems("p510")
		m.clear("p510")
	})
	t.Run("before the commit", func(t *testing.T) {
		m := &machine{t: t, Lab: m.Lab}
		m.restoreAtEnd()
		m.windows("60s", "1s")
		end := m.waitingRoom("3s")
		m.must(lab.Control, "kill -KILL $(pidof flotilla)")
		end()
		m.asBefore("p510", before)
	})
}

// What a third party has switched to meanwhile is not undone.
func TestGuardLeavesOthersAlone(t *testing.T) {
	m := inLab(t)
	m.deployed()
	before := m.systems("p510")
	m.windows("60s", "1s")
	end := m.waitingRoom("4s")
	m.must(lab.Control, "kill -KILL $(pidof flotilla)")
	end()
	other := m.must("p510", "set -- /nix/store/*-nixos-system-installer-*/bin/switch-to-configuration; $1 test >/dev/null 2>&1; readlink -f /run/current-system")
	m.asBefore("p510", systems{other, before.profile, before.boot})
	m.run("flotilla deployFast p510").exits(0)
	m.settled("p510")
}

// An old system that cannot be brought back is a failure, which says what the host runs
// and boots.
func TestOldSystemDoesNotComeBack(t *testing.T) {
	m := inLab(t)
	m.deployed()
	before := m.systems("p510")
	m.must("p510", "mount --bind /bin/false $(readlink -f /run/current-system)/bin/switch-to-configuration")
	mended := false
	mend := func() {
		if !mended {
			mended = true
			m.must("p510", "umount "+before.current+"/bin/switch-to-configuration")
		}
	}
	t.Cleanup(mend)
	m.set("p510", "lab.failUnit = true;")
	m.run("flotilla quickDeploy p510").exits(1).says("p510: failed", "p510: restore failed: ",
		"the old system could not be brought back: its switch-to-configuration ended with 1", "it runs ", " and boots ")
	if now := m.systems("p510"); now.current == before.current || now.profile != before.profile || now.boot != before.boot {
		t.Errorf("%+v, before %+v", now, before)
	}
	m.clear("p510")
	mend()
	m.must(lab.Control, "git reset --quiet --hard")
	m.run("flotilla quickDeploy p510").exits(0)
	if m.settled("p510") != before.current {
		t.Error("not as before")
	}
}

// A deployment that its controller has left can be confirmed by hand; until then no
// other gets the host, and its lock cannot be removed.
func TestConfirmByHand(t *testing.T) {
	m := inLab(t)
	m.deployed()
	before := m.systems("p510")
	m.windows("60s", "60s")
	end := m.waitingRoom("60s")
	m.must(lab.Control, "kill -KILL $(pidof flotilla)")
	end()
	m.must(lab.Control, "sed -i 's/waits/other/' hosts/p510/default.nix")
	m.run("flotilla quickDeploy p510").exits(1).says("p510: locked", "the host is locked by root@control (pid ", "whose deployment began at ", "it waits to be confirmed: if whoever began it is gone, `confirm p510` does that")
	// Neither it nor a plan takes what waits from under the garbage collector's roof.
	m.run("flotilla plan -on=p510").exits(0).says("! locked for now: waits ", "to be confirmed: `confirm p510`, or it goes back to ")
	m.run("flotilla rollback p510 -dry").exits(0).says("! locked for now: waits ")
	m.must("p510", `test "$(readlink /nix/var/nix/gcroots/flotilla)" = "$(readlink -f /run/current-system)"`)
	m.run("flotilla unlock p510 -yes").exits(1).says("p510: locked", "it waits to be confirmed")
	m.run("flotilla reboot p510 -yes").exits(1).says("p510: locked", "it waits to be confirmed")
	m.run("flotilla status -fast").exits(0).says("to be confirmed: `confirm p510`, or it goes back to ", "by root@control (pid ")
	m.run("flotilla metrics -fast").exits(0).says(`flotilla_host_deployment_state{host="p510",state="waiting"} 1`, `flotilla_host_deployment_since_timestamp_seconds{host="p510"} 1`)
	m.run("flotilla confirm p510").exits(1).says("p510: degraded", "1 of 1 check failed: mark", "it is not confirmed, and waits on")
	m.run("flotilla confirm p510 -noHealth").exits(0).says("runs and boots", "p510: switched")
	if m.settled("p510") == before.current {
		t.Error("not confirmed")
	}
	m.clear("p510")
	m.run("flotilla confirm p510").exits(0).says("no deployment waits to be confirmed there")
	m.run("flotilla unlock p510 -yes").exits(0).says("there is no lock")
}

// While a host goes back it says so, and nobody is told to confirm what can no longer be.
func TestGoingBackIsTold(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.windows("60s", "2s")
	m.set("p510", "lab.activationSeconds = 8;")
	m.run("flotilla quickDeploy p510").exits(0)
	before := m.systems("p510")
	m.must(lab.Control, "sed -i 's/lab.activationSeconds = 8/lab.activationSeconds = 1/' hosts/p510/default.nix")
	done := make(chan outcome, 1)
	go func() { done <- m.run("exec flotilla quickDeploy p510") }()
	m.must("p510", "while ! systemctl is-active --quiet 'flotilla-activate-*.service'; do sleep 0.1; done")
	m.must(lab.Control, "kill -KILL $(pidof flotilla)")
	<-done
	m.must("p510", "while ! systemctl is-active --quiet 'flotilla-confirm-*.service'; do sleep 0.1; done")
	for line, code := range map[string]int{"status -fast": 0, "dryRun p510": 0, "quickDeploy p510": 1, "confirm p510": 1, "reboot p510 -yes": 1} {
		o := m.run("flotilla " + line).exits(code).says("the host is going back to ")
		if strings.Contains(o.stdout+o.stderr, "`confirm p510`") {
			t.Errorf("%s offers to confirm:\n%s%s", line, o.stdout, o.stderr)
		}
	}
	m.asBefore("p510", before)
}

// Two controllers: one deploys, the other is told who does. A lock without a
// deployment is taken over, or removed by hand.
func TestHostLock(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.set("p510", "lab.activationSeconds = 6;")
	done := make(chan outcome, 1)
	go func() { done <- m.run("flotilla quickDeploy p510") }()
	m.must("p510", "while ! systemctl is-active --quiet 'flotilla-activate-*.service'; do sleep 0.1; done")
	m.run("flotilla quickDeploy p510").exits(1).says("p510: locked", "the host is locked by root@control (pid ", "wait for it to end")
	m.run("flotilla unlock p510 -yes").exits(1).says("p510: locked")
	m.run("flotilla confirm p510").exits(1).says("p510: locked")
	boot := m.bootID("p510")
	m.run("flotilla reboot p510 -yes").exits(1).says("p510: locked", "the host is locked by root@control (pid ")
	o := <-done
	o.exits(0).says("runs and boots")
	m.settled("p510")
	if m.bootID("p510") != boot {
		t.Error("rebooted in the middle of a deployment")
	}
	m.clear("p510")

	// As a host is left that lost its service manager's memory of a deployment.
	const left = "mkdir -p /run/flotilla/left && echo by mallory@home >/run/flotilla/left/deployment && ln -s left /run/flotilla/lock"
	m.must("p510", left)
	m.run("flotilla status -fast").exits(0).says("a lock was left, which `unlock p510` or the next deployment removes; begun by mallory@home")
	m.run("flotilla unlock p510 -yes").exits(0).says("removed the lock of mallory@home")
	m.clear("p510")
	m.must("p510", left)
	m.set("p510", `environment.etc.motd.text = "taken over";`)
	m.run("flotilla quickDeploy p510").exits(0).says("took over the lock of mallory@home, whose deployment is over")
	m.settled("p510")
	m.clear("p510")
}

// The link is cut while the host waits to be confirmed: it is if the link is back in
// time; else the host has gone back, and the controller finds out.
func TestLinkCutBeforeConfirmation(t *testing.T) {
	m := inLab(t)
	m.deployed()
	before := m.systems("p510")
	t.Run("beyond the window", func(t *testing.T) {
		m := &machine{t: t, Lab: m.Lab}
		m.restoreAtEnd()
		m.windows("60s", "2s")
		m.set("p510", "lab.activationSeconds = 2;")
		done := make(chan outcome, 1)
		go func() { done <- m.run("flotilla quickDeploy p510") }()
		m.must("p510", "while ! systemctl is-active --quiet 'flotilla-activate-*.service'; do sleep 0.1; done")
		m.fault("link cut", m.Cut(t.Context(), "p510"))
		m.unlocked("p510")
		m.fault("link restored", m.Restore(t.Context(), "p510"))
		o := <-done
		o.exits(4).says("p510: rolled-back", "it was not confirmed within 2s")
		m.asBefore("p510", before)
	})
	t.Run("within the window", func(t *testing.T) {
		m := &machine{t: t, Lab: m.Lab}
		m.restoreAtEnd()
		m.windows("60s", "60s")
		end := m.waitingRoom("30s")
		m.fault("link cut", m.Cut(t.Context(), "p510"))
		m.must("p510", "touch /run/lab-healthy; sleep 2")
		m.fault("link restored", m.Restore(t.Context(), "p510"))
		end().exits(0)
		if m.settled("p510") == before.current {
			t.Errorf("not committed:\n%s", m.must(lab.Control, "cat /tmp/events"))
		}
		m.clear("p510")
	})
}

// A host that loses power before the commit boots the old system, and the next
// deployment finds nothing in its way.
func TestPowerCutBeforeCommit(t *testing.T) {
	m := inLab(t)
	m.deployed()
	before := m.systems("p510")
	m.windows("60s", "60s")
	end := m.waitingRoom("30s")
	if now := m.systems("p510"); now.current == before.current || now.boot != before.boot {
		t.Errorf("not between activation and commit: %+v", now)
	}
	m.fault("p510 is off", m.PowerOff(t.Context(), "p510"))
	m.must(lab.Control, "kill -KILL $(pidof flotilla)")
	end()
	m.powerOn("p510")
	m.asBefore("p510", before)
	m.must("p510", "touch /run/lab-healthy")
	m.run("flotilla quickDeploy p510").exits(0)
	if m.settled("p510") == before.current {
		t.Error("not deployed")
	}
	m.clear("p510")
}
