package e2e

import (
	"testing"

	"github.com/nixflotilla/flotilla/internal/lab"
)

// A system of which a switch inhibitor differs from the live one's is staged instead of
// switched to, and a plan says so; without the system's own checks it is switched to. A
// reboot that was asked for leads there, and its health is checked then.
func TestSwitchInhibitors(t *testing.T) {
	m := inLab(t)
	m.deployed()
	inhibitor := func(value string) {
		m.must(lab.Control, `git checkout -q hosts/p510/default.nix`)
		m.set("p510", `system.switch.inhibitors.lab = "`+value+`";`)
	}
	inhibitor("1")
	// A key that only one of the two has is none.
	m.run("flotilla quickDeploy p510").exits(0).says("p510: switched")
	before := m.settled("p510")

	inhibitor("2")
	m.run("flotilla plan -on=p510").exits(0).says("it would be staged for the next boot, because of switch inhibitors: lab 1 → 2", "units: none would be touched")
	m.run("flotilla deploy p510 -test").exits(1).says("p510: failed", "the switch inhibitor lab (1 → 2) differs, so that the system must not be switched to")
	if m.settled("p510") != before {
		t.Error("something has changed")
	}
	m.run("flotilla deploy p510 -boot").exits(0).says("it boots ", "p510: staged")
	if s := m.systems("p510"); s.current != before || s.profile == before || s.boot != s.profile {
		t.Errorf("not staged: %+v", s)
	}
	m.run("flotilla rollback p510 -yes").exits(0).says("back to what it runs")
	m.settled("p510")
	m.run("flotilla quickDeploy p510").exits(0).says("p510: staged,", "staged for the next boot, because the switch inhibitor lab (1 → 2) differs")
	if s := m.systems("p510"); s.current != before || s.profile == before || s.boot != s.profile {
		t.Errorf("not staged: %+v", s)
	}
	m.clear("p510")
	m.run("flotilla quickDeploy p510 -noCheck").exits(0).says("p510: switched")
	if m.settled("p510") == before {
		t.Error("not switched")
	}
	m.clear("p510")

	inhibitor("3")
	m.must(lab.Control, `printf '\n[health.checks.jellyfin]\nunit = "jellyfin.service"\n' >>fleet.toml`)
	boot := m.bootID("p510")
	m.run("flotilla quickDeploy p510 -reboot -yes").exits(0).says("staged for the next boot", "back after ", "1 check passed", "p510: switched,")
	m.settled("p510")
	if m.bootID("p510") == boot {
		t.Error("not rebooted")
	}
}

// A specialisation is live while profile and boot entry are those of the system that it
// is of; everything that asks what a host runs knows it, and a deployment that goes wrong
// brings it back.
func TestSpecialisations(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.run("flotilla reboot razer -ifNeeded -yes").exits(0)
	parent := m.settled("razer")
	variant := func(of string) systems {
		t.Helper()
		return systems{m.must("razer", "readlink -f "+of+"/specialisation/on-the-go"), of, of}
	}
	for _, where := range []string{"here", "target"} {
		m.must(lab.Control, `sed -i 's/^\[hosts.razer\]/&\nbuild-host = "`+where+`"/' fleet.toml`)
		m.run("flotilla quickDeploy razer -specialisation=on-the-gp").exits(1).
			says(`razer: build failed: `, `has no specialisation "on-the-gp", but on-the-go`)
		m.must(lab.Control, "git checkout --quiet fleet.toml")
	}
	m.asBefore("razer", systems{parent, parent, parent})
	m.run("flotilla quickDeploy razer -specialisation=on-the-go").exits(0).says("wanted is specialisation on-the-go of ", "razer: switched,")
	m.asBefore("razer", variant(parent))
	m.run("flotilla quickDeploy razer -specialisation=on-the-go").exits(0).says("razer: unchanged", "it already runs specialisation on-the-go of ")
	m.run("flotilla status -on=razer").exits(0).says("differs", "the specialisation on-the-go of what it boots", "reboot      not needed")

	m.must(lab.Control, `sed -i 's/^\[hosts.razer\]/[hosts.razer]\nspecialisation = "on-the-go"/' fleet.toml`)
	m.run("flotilla status -on=razer").exits(0).says("up to date")
	m.set("razer", `environment.etc.motd.text = "second";`)
	m.run("flotilla quickDeploy razer").exits(0).says("razer: switched,")
	second := m.systems("razer").profile
	if second == parent {
		t.Fatal("not deployed")
	}
	m.asBefore("razer", variant(second))
	m.run("flotilla generations razer").exits(0).says("runs on-the-go, boots")
	m.set("razer", "lab.failUnit = true;")
	m.run("flotilla quickDeploy razer").exits(4).says("razer: rolled-back", "it runs specialisation on-the-go of ", ", as before")
	m.asBefore("razer", variant(second))
	m.run("flotilla rollback razer -yes").exits(0).says("razer: switched,")
	m.asBefore("razer", variant(parent))

	m.must(lab.Control, "git reset --quiet --hard")
	m.run("flotilla quickDeploy razer").exits(0).says("it runs specialisation on-the-go of ", "razer: switched,")
	if m.settled("razer") != parent {
		t.Error("not as in the beginning")
	}
}

// -test makes a system live and leaves what boots.
func TestActivateOnly(t *testing.T) {
	m := inLab(t)
	m.deployed()
	before := m.settled("p510")
	m.set("p510", `environment.etc.motd.text = "tried";`)
	m.run("flotilla deploy p510 -test").exits(0).says("p510: activated,", ", boots ")
	if s := m.systems("p510"); s.current == before || s.profile != before || s.boot != before {
		t.Errorf("%+v, before %s", s, before)
	}
	m.clear("p510")
	m.run("flotilla deploy p510 -test").exits(0).says("p510: unchanged")
	m.run("flotilla rollback p510 -yes").exits(0).says("back to what it boots")
	if m.settled("p510") != before {
		t.Error("not as before")
	}
}
