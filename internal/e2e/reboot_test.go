package e2e

import (
	"slices"
	"testing"

	"github.com/nixflotilla/flotilla/internal/lab"
)

// bootID is the kernel's id of a host's present boot. The lab's machines are
// containers, which share the kernel and with it the id: systemd gives each boot
// of a container one of its own, in the same place (systemd-nspawn(1)).
func (m *machine) bootID(host string) string {
	m.t.Helper()
	return m.must(host, "cat /proc/sys/kernel/random/boot_id")
}

// A reboot is proved by another boot id, and is done where it is needed: alone, in
// waves, or at the end of a deployment. (The lab starts a container again that
// asked for a reboot: internal/lab.)
func TestReboot(t *testing.T) {
	m := inLab(t)
	m.deployed()
	boot := m.bootID("p510")
	m.set("p510", `boot.kernelParams = [ "lab.first" ];`)
	m.run("flotilla quickDeploy p510").exits(0).says("p510: switched-needs-reboot")
	m.run("flotilla reboot p510 -ifNeeded -yes").exits(0).says("it waits for a reboot, for ", "p510: rebooted")
	m.settled("p510")
	if m.bootID("p510") == boot {
		t.Error("not rebooted")
	}
	boot = m.bootID("p510")
	m.run("flotilla reboot p510 -ifNeeded -yes").exits(0).says("p510: unchanged", "it waits for no reboot")
	if m.bootID("p510") != boot {
		t.Error("rebooted without need")
	}

	// Deployed and rebooted; then staged, which only a boot activates.
	for _, module := range []string{`boot.kernelParams = [ "lab.second" ];`, "boot.initInterfaceVersion = 3;"} {
		m.must(lab.Control, "git reset --quiet --hard")
		m.set("p510", module)
		before := m.settled("p510")
		boot = m.bootID("p510")
		m.run("flotilla quickDeploy p510 -reboot -yes").exits(0).says("p510: switched,", "back after ")
		if m.settled("p510") == before || m.bootID("p510") == boot {
			t.Errorf("%s: not deployed and rebooted", module)
		}
	}
	m.must(lab.Control, "git reset --quiet --hard")
	m.run("flotilla deployAllParallel -on=p510 -reboot -yes").exits(0).says("p510: switched,")
	m.run("flotilla deployAllParallel -on=p510 -reboot -yes").exits(0).says("p510: unchanged")

	// The second wave goes once the first is back.
	m.must(lab.Control, `printf '\n[rollout]\nwaves = ["p510"]\n' >>fleet.toml`)
	events := m.run("flotilla reboot p510,razer -yes -json").exits(0).events()
	back := slices.IndexFunc(events, func(e event) bool { return e.Kind == "done" && e.Host == "p510" && e.Step == "reboot" })
	begun := slices.IndexFunc(events, func(e event) bool { return e.Kind == "started" && e.Host == "razer" && e.Step == "reboot" })
	if back < 0 || begun < back {
		t.Errorf("p510 was back at event %d, razer went down at %d", back, begun)
	}
}

// A host that comes back wrong, late or not at all is told apart, and no further
// one is rebooted.
func TestRebootGoesWrong(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.must(lab.Control, `printf '\n[rollout]\nwaves = ["p510"]\n[ssh]\nconnect-timeout = "2s"\n' >>fleet.toml`)
	want := m.settled("p510")

	// Its boot loader has another system than its profile.
	boot, others := m.bootID("p510"), m.bootID("razer")
	m.must("p510", "cp /boot/flotilla-lab/default /root/entry && readlink -f /nix/var/nix/profiles/system-1-link >/boot/flotilla-lab/default")
	m.run("flotilla reboot p510,razer -yes").exits(1).row("p510", "failed").row("razer", "skipped").
		says("the host came back on ", "not on "+short(want), "not rebooted, because p510 ended as failed")
	if m.bootID("p510") == boot || m.bootID("razer") != others {
		t.Error("p510 did not reboot, or razer did")
	}
	m.must("p510", "mv /root/entry /boot/flotilla-lab/default")
	m.run("flotilla reboot p510 -yes").exits(0)
	if m.settled("p510") != want {
		t.Error("not on its profile's system again")
	}

	// It does not go down.
	m.must(lab.Control, `printf '\n[reboot]\ntimeout = "2s"\n' >>fleet.toml`)
	m.must("p510", "systemctl mask --quiet --runtime reboot.target")
	m.run("flotilla reboot p510 -yes").exits(1).says("p510: failed", "the host did not go down within 2s")
	m.must("p510", "systemctl unmask --quiet --runtime reboot.target")

	// It is not reached again, and cannot be reached in the first place. The time is
	// for a busy machine's container to shut down.
	m.must(lab.Control, `sed -i 's/^timeout = "2s"$/timeout = "20s"/' fleet.toml`)
	m.must("p510", "systemctl disable --quiet ssh.service 2>&1")
	t.Cleanup(func() { m.must("p510", "systemctl enable --quiet --now ssh.service 2>&1") })
	m.run("flotilla reboot p510,razer -yes").exits(1).row("p510", "unreachable").row("razer", "skipped").
		says("the host did not come back within 20s of its reboot", "it should boot "+short(want))
	m.run("flotilla reboot p510 -yes").exits(1).says("p510: unreachable", "p510: survey failed")
	if m.settled("p510") != want {
		t.Error("it has not booted what it should")
	}
}

// -boot activates nothing: the host runs what it did, and boots the new system,
// which a reboot or a rollback decides on.
func TestDeployForTheNextBoot(t *testing.T) {
	m := inLab(t)
	m.deployed()
	before := m.settled("p510")
	// Of what it runs and boots there is nothing to make next.
	m.run("flotilla deploy p510 -boot -force").exits(0).says("it already runs and boots this system, and will be as before", ", as before: nothing has changed")
	// What is to boot is kept from the garbage collector before it is the profile.
	m.set("p510", `environment.etc.motd.text = "next time"; system.preSwitchChecks.lab = "readlink /nix/var/nix/gcroots/flotilla >/run/lab-root; true";`)
	m.run("flotilla deploy p510 -boot -dry").exits(0).says("p510: to deploy", "units: none would be touched")
	if m.settled("p510") != before {
		t.Error("-dry staged it")
	}
	m.run("flotilla deploy p510 -boot").exits(0).says("it boots ", "p510: staged")
	s := m.systems("p510")
	if s.current != before || s.profile == before || s.boot != s.profile {
		t.Errorf("not staged: %+v", s)
	}
	if kept := m.must("p510", "cat /run/lab-root"); kept != s.profile {
		t.Errorf("kept %q, not %s", kept, s.profile)
	}
	m.run("flotilla deploy p510 -boot").exits(0).says("p510: unchanged", "already boots")
	if units := m.must("p510", "systemctl list-units --all --no-legend 'flotilla-commit-*'; ls /nix/var/nix/gcroots/flotilla 2>/dev/null || true"); units != "" {
		t.Errorf("left behind: %s", units)
	}

	m.run("flotilla rollback p510 -yes").exits(0).says("back to what it runs")
	if m.settled("p510") != before {
		t.Error("the staged system was not taken back")
	}
	m.run("flotilla deploy p510 -boot -reboot -yes").exits(0).says("p510: switched,", "back after")
	if now := m.settled("p510"); now != s.profile {
		t.Errorf("runs %s, not %s", now, s.profile)
	}
	m.run("flotilla quickDeploy p510").exits(0).says("p510: unchanged")

	// Somebody else's switch, and a boot loader that fails: as it was before.
	m.set("p510", "lab.failBootloader = true;")
	m.run("flotilla deploy p510 -boot").exits(1).says("p510: failed", "making the new system the one that boots failed", "no space left on /boot")
	m.must("p510", "systemd-run --quiet --unit=lab-holder flock /run/nixos/switch-to-configuration.lock sleep infinity")
	t.Cleanup(func() { m.must("p510", "systemctl stop lab-holder") })
	m.must("p510", "while flock -n /run/nixos/switch-to-configuration.lock true; do :; done")
	m.run("flotilla deploy p510 -boot").exits(1).says("p510: locked")
	if m.settled("p510") != s.profile {
		t.Error("something has changed")
	}
}
