package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/internal/lab"
)

// report is the last line of a run with -json.
func (o outcome) report(into any) {
	o.t.Helper()
	lines := strings.Split(strings.TrimSpace(o.stdout), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), into); err != nil {
		o.t.Fatalf("%s: %v\n%s", o.line, err, o.stdout)
	}
}

// status tells of each host what is special about it, whatever is wrong with the
// others, and changes nothing: not even the lock that it sees.
func TestStatus(t *testing.T) {
	m := inLab(t)
	m.deployed()
	o := m.run("flotilla status").exits(0)
	for _, h := range lab.Hosts() {
		o.row(h, "up")
	}

	m.fault("dex5550 is off", m.PowerOff(t.Context(), "dex5550"))
	t.Cleanup(func() { m.powerOn("dex5550") })
	m.must(lab.Control, `printf '\n[ssh]\nconnect-timeout = "2s"\n' >> fleet.toml`)
	m.set("razer", "lab.throw = \"no such sound card\";")
	m.set("p510", `environment.etc.motd.text = "status";`)
	m.must("p510", "systemd-run --quiet --unit=lab-broken false; until systemctl is-failed --quiet lab-broken; do :; done")
	t.Cleanup(func() { m.must("p510", "systemctl reset-failed lab-broken") })
	m.must("p620", "mkdir -p /run/nixos && systemd-run --quiet --unit=lab-holder flock /run/nixos/switch-to-configuration.lock sleep infinity")
	t.Cleanup(func() { m.must("p620", "systemctl stop lab-holder") })
	m.must("p620", "while flock -n /run/nixos/switch-to-configuration.lock true; do :; done")

	m.run("flotilla status").exits(3).row("p620", "up").row("razer", "eval").row("p510", "differs").row("dex5550", "unreachable").
		says("! another switch-to-configuration is running", "! failed: lab-broken.service", "! wanted is ", "! differs from the flake since ", "no such sound card",
			"dex5550: survey failed:", "4 hosts: 1 up to date, 1 eval error, 1 differs, 1 unreachable")

	var r struct {
		Report struct {
			Hosts []struct {
				Host, Live, Wanted string
				Status             *struct {
					Standing, Profile, Busy string
					Generation              int
					Age                     float64  `json:"generation_age_seconds"`
					Failed                  []string `json:"failed_units"`
					Free                    int64    `json:"free_bytes"`
				}
			}
		}
	}
	m.run("flotilla status -json").exits(3).report(&r)
	h := r.Report.Hosts[2]
	if h.Host != "p510" || h.Status == nil || h.Status.Standing != "differs" || h.Status.Profile != h.Live || h.Wanted == h.Live ||
		h.Status.Generation < 1 || h.Status.Age <= 0 || len(h.Status.Failed) != 1 || h.Status.Free <= 0 {
		t.Errorf("%+v", h)
	}
	if r.Report.Hosts[3].Status != nil || r.Report.Hosts[0].Status.Busy == "" {
		t.Errorf("%+v", r.Report.Hosts)
	}

	// Hosts only: the flake's mistake does not matter.
	m.run("flotilla status -fast -on=razer").exits(0).says("razer: answers", "what it runs", "running")
}

// analyze finds what a change brought in, and why.
func TestAnalyze(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.set("razer", "lab.bigPackageMiB = 3;")
	o := m.run("flotilla analyze razer").exits(0).says("razer: what the flake wants", "against what it runs, ", "+3.0 MiB", "big", "razer: built")
	if _, list, _ := strings.Cut(o.stdout, "LARGEST BY"); !strings.Contains(strings.SplitN(list, "\n", 3)[1], "big") {
		t.Errorf("the largest path is not on top:\n%s", o.stdout)
	}
	live := m.run("flotilla analyze razer -live").exits(0).says("razer: what it runs")
	if strings.Contains(live.stdout, "+3.0 MiB") || strings.Contains(live.stdout, "big") {
		t.Errorf("not the live system:\n%s", live.stdout)
	}

	// Nix's own word on the chain, and on the whole.
	var r struct {
		Report struct {
			Hosts []struct {
				Analysis struct {
					System string
					Bytes  int64
					Paths  []struct {
						Path, Referrer string
						Frees          int64 `json:"frees_bytes"`
					}
				}
			}
		}
	}
	m.run("flotilla analyze razer -json").exits(0).report(&r)
	a := r.Report.Hosts[0].Analysis
	size := m.must(lab.Control, "nix --extra-experimental-features nix-command path-info -S "+a.System+" | awk '{ print $2 }'")
	for _, p := range a.Paths {
		switch {
		case p.Path == a.System:
			if p.Frees != a.Bytes || size != jsonNumber(a.Bytes) {
				t.Errorf("the system frees %d of %d; Nix says %s", p.Frees, a.Bytes, size)
			}
		case strings.Contains(p.Path, "-big"):
			m.must(lab.Control, "nix-store -q --references "+p.Referrer+" | grep -qxF "+p.Path)
		}
	}
}

func jsonNumber(n int64) string {
	b, err := json.Marshal(n)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// preDeploy is ready where a deployment would work, says all that is wrong where
// not, and leaves what hosts run and boot.
func TestPreDeploy(t *testing.T) {
	m := inLab(t)
	m.deployed()
	before := m.settled("razer")
	m.set("razer", `environment.etc.motd.text = "soon"; warnings = [ "mind the gap" ];`)
	m.run("flotilla preDeploy razer").exits(0).
		says("razer: ready", "mind the gap", "paths to copy", "etc-motd", "ready: nothing stands against deploying", "nix flake check  ok")

	// An inhibitor, somebody else, and too little space.
	m.set("razer", `lab.bigPackageMiB = 40; system.switch.inhibitors.nvidia = "other";`)
	m.must(lab.Control, "sed -i 's|system.switch.inhibitors.nvidia|# &|' modules/hardware/nvidia.nix")
	m.must("razer", "mkdir -p /run/nixos && systemd-run --quiet --unit=lab-holder flock /run/nixos/switch-to-configuration.lock sleep infinity")
	t.Cleanup(func() { m.must("razer", "systemctl stop lab-holder") })
	m.must("razer", "while flock -n /run/nixos/switch-to-configuration.lock true; do :; done")
	m.fault("razer's disk is full", m.FillDisk(t.Context(), "razer", 8<<20))
	t.Cleanup(func() { m.fault("razer's disk is freed", m.FreeDisk(t.Context(), "razer")) })
	m.run("flotilla preDeploy razer").exits(1).says("razer: not ready", "another switch-to-configuration is running",
		"nvidia (", "→ other)", "too little for the ", "razer: locked", "Error: not ready: ")
	if m.settled("razer") != before {
		t.Error("razer was changed")
	}
}

// exec runs a line as it is written, on each host, with a row for each.
func TestExec(t *testing.T) {
	m := inLab(t)
	o := m.run(`flotilla exec 'p*' 'echo "$(hostname) \$(x) '"'"'a  b'"'"'"; echo oops >&2; test $(hostname) = p620 || exit 7'`).exits(3)
	if o.stdout != "p620 │ p620 $(x) 'a  b'\np510 │ p510 $(x) 'a  b'\n" && o.stdout != "p510 │ p510 $(x) 'a  b'\np620 │ p620 $(x) 'a  b'\n" {
		t.Errorf("standard output: %q", o.stdout)
	}
	o.says("p620 │ oops", "exec: exit code 7", "Error: 1 of 2 hosts not as wanted: 1 ran, 1 failed")
	m.run("flotilla exec p620 'cat; printf \"\\033]0;evil\\007\\033[2Jx\\n\"'").exits(0).says("p620 │ ", "x\n")
	if o := m.run("flotilla exec p620 'printf \"\\033[2Jx\\n\"'"); strings.Contains(o.stdout, "\x1b") {
		t.Errorf("a control sequence came through: %q", o.stdout)
	}
	m.run("flotilla exec p620 'exit 255'").exits(1).says("exec: exit code 255")
	m.run("flotilla exec p620 'kill -9 $$'").exits(1).says("ended by a signal")
	m.run("flotilla exec p620 'echo out; echo err >&2' -json").exits(0).
		says(`"kind":"log","host":"p620","step":"exec","text":"out"}`, `"step":"exec","text":"err","stderr":true}`, `"outcome":"ran"`)

	// Ctrl-C stops waiting, and says what that means on the host.
	m.must("p620", "rm -f /run/lab-exec && mkfifo /run/lab-exec")
	t.Cleanup(func() { m.must("p620", "rm -f /run/lab-exec") })
	done := make(chan outcome, 1)
	go func() { done <- m.run("exec flotilla exec p620 'echo begun >/run/lab-exec; cat /run/lab-exec'") }()
	m.must("p620", "cat /run/lab-exec") // it has begun, and now waits for somebody who writes
	m.must(lab.Control, "kill -INT $(pidof flotilla)")
	(<-done).exits(130).says("interrupted: no longer waiting; where the command has begun it gets no signal")
	m.must("p620", "echo end >/run/lab-exec") // it went on
}

// updateInput with a real Nix and a real input: the lock's change is told, what
// cannot be fetched leaves it as it was.
func TestUpdateInput(t *testing.T) {
	m := inLab(t)
	m.restoreAtEnd()
	t.Cleanup(func() { m.must(lab.Control, "rm -rf /tmp/lab-input") })
	m.must(lab.Control, `git init -q /tmp/lab-input && cd /tmp/lab-input && echo '{ outputs = _: { }; }' >flake.nix && git add . &&
		git -c user.name=lab -c user.email=lab@example.org commit -qm one`)
	m.must(lab.Control, `sed -i '0,/outputs =/s||inputs.site.url = "git+file:///tmp/lab-input"; outputs =|; s|{ self }:|{ self, site }:|' flake.nix &&
		nix --extra-experimental-features 'nix-command flakes' flake lock 2>&1`)
	lock := m.must(lab.Control, "cat flake.lock")
	m.run("flotilla updateInput site").exits(0).says("site: nothing newer than ")
	m.run("flotilla updateInput sit").exits(1).says(`there is no input "sit"; did you mean site?`)

	m.must(lab.Control, `cd /tmp/lab-input && git -c user.name=lab -c user.email=lab@example.org commit -q --allow-empty -m two`)
	o := m.run("flotilla updateInput site").exits(0).says("site: ", " → ", "written and not committed; it had uncommitted changes before")
	now := m.must(lab.Control, "cat flake.lock")
	if rev := m.must(lab.Control, "git -C /tmp/lab-input rev-parse HEAD"); !strings.Contains(now, rev) || !strings.Contains(o.stdout, "→ "+rev[:7]) {
		t.Errorf("%s is not in\n%s%s", rev, now, o.stdout)
	}
	if now == lock {
		t.Error("flake.lock is as before")
	}
	m.run("flotilla updateInput '*'").exits(0).says("site: nothing newer than ")

	m.must(lab.Control, "mv /tmp/lab-input/.git /tmp/lab-input/gone")
	m.run("flotilla updateInput site").exits(1).says("cannot update site")
	if again := m.must(lab.Control, "cat flake.lock"); again != now {
		t.Errorf("a failed update changed the lock:\n%s", again)
	}
}
