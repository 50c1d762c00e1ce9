package e2e

import (
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/internal/lab"
)

// generation is the number that a host's profile is at.
func (m *machine) generation(host string) string {
	m.t.Helper()
	return m.must(host, "readlink /nix/var/nix/profiles/system | cut -d- -f2")
}

// Back is the system before the present one, whatever deployments that changed
// nothing, rollbacks and broken flakes there were in between.
func TestRollback(t *testing.T) {
	m := inLab(t)
	m.deployed()
	first := m.settled("p510")
	deploy := func(motd string) string {
		t.Helper()
		m.must(lab.Control, "git reset --quiet --hard")
		m.set("p510", `environment.etc.motd.text = "`+motd+`";`)
		m.run("flotilla quickDeploy p510").exits(0).says("p510: switched")
		return m.settled("p510")
	}
	second := deploy("second")
	number := m.generation("p510")
	m.run("flotilla quickDeploy p510").exits(0).says("p510: unchanged")
	m.run("flotilla deploy p510 -force").exits(0)
	if now := m.generation("p510"); now != number {
		t.Fatalf("deploying the same again made generation %s of %s", now, number)
	}

	m.must(lab.Control, "echo '{' >flake.nix; echo broken >flake.lock")
	m.run("flotilla rollback p510").exits(1).says("Roll back p510? There is no terminal to ask on")
	m.run("flotilla rollback p510 -dry").exits(0).says("p510: to roll back", "3 rebuilt", "units: ")
	if m.settled("p510") != second {
		t.Error("-dry rolled back")
	}
	m.run("flotilla rollback p510 -yes").exits(0).says("switching profile from version "+number, "runs and boots")
	if m.settled("p510") != first {
		t.Error("not back at the system before")
	}
	if m.run("flotilla generations p510 -json").exits(0).says(`"generation":` + number + `,"path":"` + second + `"`); m.generation("p510") >= number {
		t.Error("the rollback made a generation of its own")
	}
	m.run("flotilla rollback p510 -yes -to=" + number).exits(0)
	if m.settled("p510") != second {
		t.Error("not at the generation named")
	}
	m.run("flotilla rollback p510 -yes -to="+second).exits(0).says("p510: unchanged", "it already runs and boots generation "+number)
	m.run("flotilla rollback p510 -yes -to=99999").exits(1).says("the host has no generation 99999", "choose with -to")
	m.run("flotilla rollback p510,razer -yes -to="+second).exits(3).says("is none of the host's generations").row("p510", "unchanged").row("razer", "failed")

	// Not to what was rolled back from.
	m.run("flotilla rollback p510 -yes").exits(0)
	deploy("third")
	m.run("flotilla rollback p510 -yes").exits(0)
	if m.settled("p510") != first {
		t.Error("not back at what ran before the last deployment")
	}

	// A system that was never confirmed: back to what boots.
	m.must(lab.Control, "git reset --quiet --hard")
	m.must(lab.Control, `printf '[activation]\non-degraded = "keep"\n' >>fleet.toml`)
	m.set("p510", "lab.failUnit = true;")
	m.run("flotilla quickDeploy p510").exits(1).says("p510: degraded")
	m.run("flotilla rollback p510 -yes").exits(0).says("back to what it boots")
	if m.settled("p510") != first {
		t.Error("not back at what it boots")
	}

	// A generation whose system is gone is told before anything is done.
	m.must("p510", "ln -s /nix/store/00000000000000000000000000000000-nixos-system-p510-gone /nix/var/nix/profiles/system-900-link")
	t.Cleanup(func() { m.must("p510", "rm /nix/var/nix/profiles/system-900-link") })
	m.run("flotilla generations p510").exits(0).says("gone")
	m.run("flotilla rollback p510 -yes -to=900").exits(1).says("is no longer in the host's store")
	if m.settled("p510") != first {
		t.Error("something was done")
	}
}

// The question names the systems, and comes after what going back would change.
func TestRollbackAsks(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.set("p510", `environment.etc.motd.text = "asked";`)
	m.run("flotilla quickDeploy p510").exits(0)
	before := m.settled("p510")
	ask := func(typed string) outcome {
		t.Helper()
		return m.run(`d=$(mktemp -d) && mkfifo $d/in && exec 3<>$d/in
			TERM=xterm script -qefc 'flotilla rollback p510' $d/screen <$d/in >/dev/null 2>&1 & pid=$!
			while kill -0 $pid && ! grep -q 'Roll back p510 to' $d/screen; do sleep 0.1; done 2>/dev/null
			printf '` + typed + `' >&3; wait $pid; code=$?; cat $d/screen; rm -r $d; exit $code`)
	}
	ask(`n\n`).exits(1).says("p510: to roll back", "from "+short(before), "not confirmed")
	if m.settled("p510") != before {
		t.Error("rolled back without a yes")
	}
	ask(`y\n`).exits(0).says("p510: switched")
	if m.settled("p510") == before {
		t.Error("not rolled back")
	}
}

// short is a system as people read it.
func short(path string) string {
	hash, name, _ := strings.Cut(strings.TrimPrefix(path, "/nix/store/"), "-")
	return hash[:7] + "-" + strings.TrimPrefix(name, "nixos-system-")
}
