package e2e

import (
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/internal/lab"
)

// A flake without fleet.toml, with a real Nix: its configurations are the hosts.
func TestHostsAreDiscovered(t *testing.T) {
	m := inLab(t)
	m.restoreAtEnd()
	m.must(lab.Control, "git rm --quiet fleet.toml")
	o := m.run("flotilla testAllParallel").exits(0)
	for _, h := range append(lab.Hosts(), "installer") {
		o.row(h, "built")
	}
	m.run("flotilla testHost rzaer").exits(1).says(`there is no host "rzaer"; did you mean razer?`)

	// Listed, but not in the flake.
	m.must(lab.Control, `printf '[hosts.p620]\n[hosts.rzer]\n' >fleet.toml`)
	m.run("flotilla testAllParallel").exits(3).row("p620", "built").row("rzer", "failed").
		says("the flake has no nixosConfigurations.rzer", "did you mean razer?")
}

// validate tells everything that is wrong at once, and each thing once.
func TestValidate(t *testing.T) {
	m := inLab(t)
	m.restoreAtEnd()
	o := m.run("flotilla validate").exits(0).says("nix flake check  ok")
	for _, h := range lab.Hosts() {
		o.row(h, "evaluated")
	}
	if o := m.run("flotilla validate").exits(0).says("nix flake check  ok       0.00 s  nothing has changed since"); strings.Count(o.stderr, "nothing it reads changed since") != len(lab.Hosts()) {
		t.Errorf("evaluated again:\n%s", o.stderr)
	}

	m.set("p620", `warnings = [ "p620 is old" ];`)
	m.set("razer", `assertions = [ { assertion = false; message = "one is wrong"; } { assertion = false; message = "another is"; } ];`)
	m.set("p510", `services.nosuch.enable = nosuch;`)
	m.must(lab.Control, `sed -i 's|nixosConfigurations = {|lib.validateNet = throw "no route"; lib.validateText = "two networks"; lib.validateFalse = false; packages.x86_64-linux.broken = 1; &|' flake.nix`)
	for range 2 { // the second time from a filled cache, which must hide nothing
		o = m.run("flotilla validate").exits(3).
			row("p620", "evaluated").row("razer", "failed").row("p510", "failed").row("dex5550", "evaluated").
			row("lib.validateNet", "failed").row("lib.validateText", "ok").row("lib.validateFalse", "failed").
			says("p620 is old", "- one is wrong", "- another is", "undefined variable 'nosuch'", "hosts/p510/default.nix:",
				"lib.validateNet: ", "no route", "lib.validateFalse: it is false", "two networks",
				"packages.x86_64-linux.broken: ")
		if n := strings.Count(o.stdout+o.stderr, "p620 is old"); n != 1 {
			t.Errorf("the warning is told %d times:\n%s", n, o.stderr)
		}
		if strings.Contains(o.stderr, "nixosConfigurations.razer") {
			t.Errorf("a host's failure is told twice:\n%s", o.stderr)
		}
	}
}

// checkSyntax finds every bad file, wherever it is in a batch, and names it as
// Git does.
func TestCheckSyntax(t *testing.T) {
	m := inLab(t)
	m.restoreAtEnd()
	m.run("flotilla checkSyntax").exits(0).says("files without syntax errors")
	m.must(lab.Control, `printf '{\n  a = ;\n}\n' >hosts/razer/audio.nix
		printf '{ a = 1; a = 2; }' >'modules/two words.nix' && git add modules
		printf '{ x }: y' >site/untracked.nix
		printf '{ config, ... }: { a = confg; }' >hosts/p510/default.nix`)
	o := m.run("flotilla checkSyntax").exits(1).says(
		"hosts/razer/audio.nix:2:7: syntax error, unexpected ';'",
		"modules/two words.nix:1:10: attribute 'a' already defined",
		"hosts/p510/default.nix:1:24: undefined variable 'confg'",
		"Error: 3 of ")
	if strings.Contains(o.stdout, "untracked") {
		t.Errorf("an untracked file is checked:\n%s", o.stdout)
	}
}
