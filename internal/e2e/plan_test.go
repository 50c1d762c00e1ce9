package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/internal/lab"
)

// planned is a host's part of a plan, as docs/events.md describes it.
type planned struct {
	Host, Outcome string
	OK            bool
	Build         struct{ Derivations int }
	Difference    *struct {
		Added, Removed, Changed []struct {
			Name        string
			OldVersions []string `json:"old_versions"`
			NewVersions []string `json:"new_versions"`
		}
		Units struct {
			Stop, Restart, Reload, Start []string
		}
		UnitsUnknown string `json:"units_unknown"`
		Reboot       []struct{ Part, Old, New string }
		CopyPaths    int   `json:"copy_paths"`
		CopyBytes    int64 `json:"copy_bytes"`
		FreeBytes    int64 `json:"free_bytes"`
		NoRoom       bool  `json:"no_room"`
	}
}

// plans are the hosts of a command's JSON report.
func (o outcome) plans() map[string]planned {
	o.t.Helper()
	var last struct {
		Report struct {
			Planned bool
			Hosts   []planned
		}
	}
	lines := strings.Split(strings.TrimSpace(o.stdout), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || !last.Report.Planned {
		o.t.Fatalf("%s: no plan: %v\n%s%s", o.line, err, o.stdout, o.stderr)
	}
	all := map[string]planned{}
	for _, h := range last.Report.Hosts {
		all[h.Host] = h
	}
	return all
}

// untouched wants what a host runs, boots and keeps to stay as it is now, until
// the function returned is called.
func (m *machine) untouched(hosts ...string) func() {
	m.t.Helper()
	state := func(h string) string {
		return fmt.Sprint(m.systems(h)) + m.must(h, `readlink /nix/var/nix/profiles/system; ls /boot/flotilla-lab /nix/var/nix/profiles; ls /nix/var/nix/gcroots/flotilla 2>/dev/null
			systemctl list-units --all --no-legend 'flotilla-*'; systemctl list-units --no-legend --plain --state=active 'razer-*' | cut -d' ' -f1-4; cat /proc/sys/kernel/random/boot_id; true`)
	}
	before := map[string]string{}
	for _, h := range hosts {
		before[h] = state(h)
	}
	return func() {
		m.t.Helper()
		for _, h := range hosts {
			if now := state(h); now != before[h] {
				m.t.Errorf("%s was changed:\n%s\nbefore:\n%s", h, now, before[h])
			}
		}
	}
}

// A plan of the four hosts: a unit of one changes, a package of another, the
// kernel of a third, nothing of the fourth. It says so, and does nothing; the
// second time there is nothing left to copy.
func TestPlan(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.must(lab.Control, `sed -i 's/RATE = "48000"/RATE = "192000"/' hosts/razer/audio.nix
		sed -i 's/10\.10\.7/10.10.8/' nixos/pkgs/by-name/jellyfin.nix
		sed -i 's|^{$|{ pkgs, ... }: {|; s|imports = \[|boot.kernelPackages = pkgs.linuxPackages_latest; imports = [|' hosts/p620/default.nix`)
	unchanged := m.untouched(lab.Hosts()...)

	for _, again := range []bool{false, true} {
		got := m.run("flotilla plan -json").exits(0).plans()
		razer, p510, p620, dex := got["razer"], got["p510"], got["p620"], got["dex5550"]
		for host, p := range map[string]planned{"razer": razer, "p510": p510, "p620": p620} {
			d := p.Difference
			if p.Outcome != "compared" || d == nil || d.UnitsUnknown != "" || d.FreeBytes == 0 || len(d.Added)+len(d.Removed) > 0 {
				t.Fatalf("%s: %+v, %+v", host, p, d)
			}
			if (d.CopyPaths == 0) != again || (d.CopyBytes == 0) != again || (p.Build.Derivations == 0) != again {
				t.Errorf("%s, again %v: %d derivations, %d paths, %d bytes", host, again, p.Build.Derivations, d.CopyPaths, d.CopyBytes)
			}
		}
		if dex.Outcome != "unchanged" || !dex.OK {
			t.Errorf("dex5550: %+v", dex)
		}
		if u := razer.Difference.Units; !strings.Contains(strings.Join(append(u.Restart, u.Start...), " "), "razer-audio.service") {
			t.Errorf("razer: %+v", u)
		}
		bumped := false
		for _, c := range p510.Difference.Changed {
			bumped = bumped || c.Name == "jellyfin" && fmt.Sprint(c.OldVersions, c.NewVersions) == "[10.10.7] [10.10.8]"
		}
		if !bumped {
			t.Errorf("p510: %+v", p510.Difference.Changed)
		}
		if r := fmt.Sprint(p620.Difference.Reboot); !strings.Contains(r, "{kernel 6.12.31 6.15.1}") {
			t.Errorf("p620: %s", r)
		}
	}
	unchanged()

	md := m.run("flotilla plan -markdown").exits(0)
	md.says("| dex5550 | ✅ unchanged |", "| p620 | 🔄 to deploy |", "<details><summary><b>razer</b>", `<code>razer\-audio\.service</code>`)
	if strings.Count(md.stdout, "<details>") != 3 || strings.Contains(md.stdout, "│") || !strings.Contains(md.stderr, "4 hosts: 3 to deploy, 1 unchanged") {
		t.Errorf("standard output is not the Markdown alone:\n%s\n%s", md.stdout, md.stderr)
	}

	m.run("flotilla plan").exits(0).row("dex5550", "unchanged").
		says("~ jellyfin  10.10.7 → 10.10.8", "kernel 6.12.31 → 6.15.1", "units: start: razer-audio.service", "a plan: nothing was activated")
	// What was planned is what is deployed.
	m.run("flotilla quickDeploy p510").exits(0)
	m.run("flotilla dryRun p510").exits(0).says("p510: unchanged")
}

// -dry of everything that deploys changes nothing, asks nothing, and leaves
// nothing behind.
func TestDryRunsChangeNothing(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.set("p510", `environment.etc.motd.text = "dry";`)
	unchanged := m.untouched("p510")
	for _, line := range []string{
		"deploy p510", "quickDeploy p510", "deployFast p510", "deployLocalBuild p510", "emergencyDeploy p510", "p510", "p510 -force",
		"deployAll -on=p510", "deployAllParallel -on=p510", "quickAll -on=p510",
	} {
		m.run("flotilla "+line+" -dry </dev/null").exits(0).says("p510: to deploy", "0 changed, 3 rebuilt")
	}
	// What is downloaded is told apart from what is built.
	m.must(lab.Control, `sed -i 's/"dry"/"cached"/' hosts/p510/default.nix && d=$(mktemp -d) && nix key generate-secret --key-name lab-1 >$d/key
		out=$(nix build --no-link --print-out-paths .#nixosConfigurations.p510.config.system.build.toplevel) &&
			nix copy --to "file://$d/cache?secret-key=$d/key" $out && nix-store --delete $out &&
			printf '\n[cache]\nurl = "file://%s/cache"\npublic-key = "%s"\n' $d "$(nix key convert-secret-to-public <$d/key)" >>fleet.toml`)
	m.run("flotilla deployCached p510 -dry").exits(0).says("p510: to deploy", "here: 1 path downloaded (", "│ build    ", " downloaded")
	unchanged()
	m.must(lab.Control, "git checkout -q fleet.toml")

	// A user who cannot become root is told all but what needs root.
	m.must(lab.Control, `sed -i 's/^\[hosts.p510\]/[hosts.p510]\nuser = "guest"/' fleet.toml`)
	m.run("flotilla diff p510").exits(1).says("~ etc", "copy: nothing that the host has not", "units: not known: the remote user", "sudo, doas or run0 without a password")
	m.must(lab.Control, "git checkout -q fleet.toml")

	m.run("flotilla quickDeploy p510").exits(0).says("p510: switched")
	m.settled("p510")
}
