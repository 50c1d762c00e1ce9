package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/internal/lab"
)

// needs gives a host packages whose builds are for any machine, here or elsewhere. Each is
// NAME: SCRIPT, and its build also notes its name in a file of the machine that builds it.
func (m *machine) needs(host string, attrs string, packages ...string) {
	m.t.Helper()
	var list strings.Builder
	for _, p := range packages {
		name, script, _ := strings.Cut(p, ":")
		fmt.Fprintf(&list, `(pkgs.runCommand "lab-%[1]s-1" { preferLocalBuild = false; %[2]s } "echo %[1]s >>/var/tmp/lab-builds; %[3]s; echo > $out") `, name, attrs, script)
	}
	m.must(lab.Control, fmt.Sprintf(`sed -i '0,/imports = \[/s|imports = \[|imports = [ ({ pkgs, ... }: { environment.systemPackages = [ %s]; })|' hosts/%s/default.nix && grep -q preferLocalBuild hosts/%[2]s/default.nix`, list.String(), host))
}

// builders makes machines builders, each with lines of its own, and empties the notes of what
// was built where.
func (m *machine) builders(sections ...string) {
	m.t.Helper()
	text := "\n[ssh]\nconnect-timeout = \"2s\"\n"
	for _, s := range sections {
		name, lines, _ := strings.Cut(s, "\n")
		text += "\n[builders." + name + "]\n" + lines + "\n"
	}
	m.must(lab.Control, "cat >>fleet.toml <<'END'\n"+text+"END")
	m.must(lab.Control, `sed -i 's/^\[defaults\]/&\nbuild-host = "builders"/' fleet.toml`)
	for _, host := range lab.Machines() {
		m.must(host, ": >/var/tmp/lab-builds; chmod 666 /var/tmp/lab-builds")
	}
}

// until starts a command in control, and returns once a process runs on a host; what it returns
// waits for the command's end.
func (m *machine) until(line, host, process string) (end func() outcome) {
	m.t.Helper()
	done := make(chan outcome, 1)
	go func() { done <- m.run(line) }()
	seen := m.runOn(host, "for i in $(seq 300); do pgrep -f '"+process+"' && exit 0; sleep 0.1; done; exit 1")
	if seen.code != 0 {
		m.run("kill -INT $(pidof flotilla)")
		o := <-done
		m.t.Fatalf("%s: no %q on %s\n%s%s", line, process, host, o.stdout, o.stderr)
	}
	return func() outcome { return <-done }
}

// gone waits until a process has ended on a host.
func (m *machine) gone(host, process string) {
	m.t.Helper()
	m.must(host, "for i in $(seq 100); do pgrep -f '"+process+"' || exit 0; sleep 0.1; done; exit 1")
}

// built is what a machine has built of those packages.
func (m *machine) built(host string) []string {
	m.t.Helper()
	return strings.Fields(m.must(host, "cat /var/tmp/lab-builds"))
}

// Two builders and this machine share the builds of four hosts. Each derivation is built
// once, the one that all four need too, and the report says who built how many.
func TestBuildersShareTheBuilds(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.builders("p620\nmax-jobs = 2", "razer\nmax-jobs = 2")
	want := map[string]bool{"shared": true}
	for _, host := range lab.Hosts() {
		m.needs(host, "", "shared:sleep 0.3", host+"-a:sleep 0.3", host+"-b:sleep 0.3", host+"-c:sleep 0.3")
		for _, p := range []string{"-a", "-b", "-c"} {
			want[host+p] = true
		}
	}
	o := m.run("flotilla testAllParallel").exits(0).says(" on p620", " on razer", "built by: ")
	total := 0
	for _, machine := range lab.Machines() {
		for _, p := range m.built(machine) {
			if !want[p] {
				t.Errorf("%s built %s once more, or for nothing", machine, p)
			}
			delete(want, p)
			total++
		}
	}
	if len(want) > 0 || len(m.built("p620")) == 0 || len(m.built("razer")) == 0 {
		t.Errorf("%d built, not %v; by p620 %v, by razer %v\n%s", total, want, m.built("p620"), m.built("razer"), o.stderr)
	}
	m.run("flotilla deployAllParallel -yes").exits(0)
	for _, host := range lab.Hosts() {
		m.settled(host)
	}
	m.run("flotilla quickDeploy p510").exits(0).says("p510: unchanged")

	// What no machine has is named, with what would be needed.
	m.needs("p510", `requiredSystemFeatures = [ "lab-quantum" ];`, "quantum:true")
	m.run("flotilla testHost p510").exits(1).
		says("p510: build failed: no machine can build lab-quantum-1.drv: it wants x86_64-linux with lab-quantum", "add a builder that has it to [builders]; p620 builds for x86_64-linux")
	m.must(lab.Control, `sed -i 's/^\[builders.razer\]/&\nsupported-features = ["lab-quantum"]/' fleet.toml`)
	m.run("flotilla testHost p510").exits(1).
		says("builder razer is left out: fleet.toml says that it has the feature lab-quantum, and its Nix has ")
	m.must("razer", "printf 'system-features = lab-quantum benchmark\n' >>/etc/nix/nix.conf")
	t.Cleanup(func() { m.must("razer", "sed -i '/^system-features/d' /etc/nix/nix.conf") })
	m.run("flotilla testHost p510").exits(0)
	if b := m.built("razer"); b[len(b)-1] != "quantum" {
		t.Errorf("razer built %v", b)
	}

	// Without [builders], "here" leaves Nix its own.
	m.must(lab.Control, "git checkout -q fleet.toml && printf 'ssh-ng://root@p620 x86_64-linux - 1 1\n' >/etc/nix/machines")
	t.Cleanup(func() { m.must(lab.Control, "rm /etc/nix/machines") })
	m.needs("dex5550", "", "conf:true")
	m.run("flotilla testHost dex5550").exits(0)
	if b := m.built("p620"); b[len(b)-1] != "conf" {
		t.Errorf("p620 built %v", b)
	}
}

// A builder whose plug is pulled while it builds costs the time that it takes to notice, and
// what it was building is built elsewhere; one that is down from the start is left out.
func TestBuilderIsLost(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.builders("razer\nmax-jobs = 2\nssh-options = [\"ServerAliveInterval=1\"]", "p620")
	const stuck = "if test $(uname -n) = razer; then exec sleep 7656; fi"
	m.needs("p510", "", "stuck-a:"+stuck, "stuck-b:"+stuck) // one of them is razer's
	end := m.until("flotilla quickDeploy p510", "razer", "^sleep 7656$")
	m.fault("razer's plug is pulled", m.PowerOff(t.Context(), "razer"))
	on := false
	t.Cleanup(func() {
		if !on {
			m.powerOn("razer")
		}
	})
	end().exits(0).says("builder razer was lost while it built; building on without it", "runs and boots")
	m.settled("p510")

	m.set("p510", `environment.etc.motd.text = "without razer";`)
	m.run("flotilla quickDeploy p510").exits(0).says("builder razer is left out: ", "runs and boots")
	m.settled("p510")
	m.powerOn("razer")
	on = true
}

// A builder whose Nix is killed in the middle of a build, while the connection lives, builds
// once more; if that happens again it is built without it.
// A build that fails there has failed.
func TestBuilderBreaksOff(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.builders("razer")
	const once = "builder razer broke off in the middle, as if its Nix had been ended; building on with it once more"
	stuckOnce := func(name string) string {
		m.t.Cleanup(func() { m.must("razer", "rm -rf /var/tmp/lab-stuck-"+name) })
		return name + ":if test $(uname -n) = razer; then if mkdir /var/tmp/lab-stuck-" + name + "; then exec sleep 7658; fi; fi"
	}
	built := func(host string, want ...string) {
		t.Helper()
		if got := m.built(host); !slices.Equal(got, want) {
			t.Errorf("%s built %v, not %v", host, got, want)
		}
		m.must(host, ": >/var/tmp/lab-builds")
	}

	m.needs("p510", "", stuckOnce("killed"))
	end := m.until("flotilla quickDeploy p510", "razer", "^sleep 7658$")
	m.must("razer", "pkill -KILL -f '[n]ix-daemon --stdio'")
	end().exits(0).says(once, "runs and boots")
	m.settled("p510")
	built("razer", "killed", "killed")
	built(lab.Control)

	m.needs("p510", "", "always:if test $(uname -n) = razer; then exec sleep 7659; fi")
	end = m.until("flotilla quickDeploy p510", "razer", "^sleep 7659$")
	first := m.must("razer", "pgrep -xf 'sleep 7659'")
	m.must("razer", "pkill -KILL -f '[n]ix-daemon --stdio'; until pgrep -xf 'sleep 7659' | grep -vx "+first+"; do sleep 0.1; done; pkill -KILL -f '[n]ix-daemon --stdio'")
	end().exits(0).says(once, "builder razer broke off in the middle once more; building on without it", "runs and boots")
	m.settled("p510")
	built("razer", "always", "always")
	built(lab.Control, "always")

	m.needs("p510", "", "failing:exit 3")
	o := m.run("flotilla testHost p510").exits(1).says("cannot build lab-failing-1.drv")
	if strings.Contains(o.stderr, "broke off") {
		t.Error(o.stderr)
	}
	built("razer", "failing")
	m.must(lab.Control, "git checkout -q hosts")

	// It has no room for what the build needs, so that it never begins there.
	m.fault("razer's disk is full", m.FillDisk(t.Context(), "razer", 8<<20))
	t.Cleanup(func() { m.fault("razer's disk is freed", m.FreeDisk(context.Background(), "razer")) })
	m.needs("p510", `input = pkgs.runCommand "lab-input-1" { preferLocalBuild = true; } "head -c 24000000 /dev/urandom >$out";`, "large:true")
	m.run("flotilla testHost p510").exits(0).says(once, "builder razer broke off in the middle once more; building on without it")
	built("razer")
	built(lab.Control, "large")
	m.fault("razer's disk is freed", m.FreeDisk(t.Context(), "razer"))
	m.must(lab.Control, "git checkout -q hosts")

	// Another user's builds are those of a child of the daemon. (To restart the daemon leaves
	// that alone: KillMode=process in its unit.)
	m.configure("razer", `user = "deploy"`)
	m.needs("p510", "", stuckOnce("child"))
	end = m.until("flotilla quickDeploy p510", "razer", "^sleep 7658$")
	m.must("razer", "systemctl restart nix-daemon; pkill -KILL -f '^nix-daemon [0-9]+$'")
	end().exits(0).says(once, "runs and boots")
	m.settled("p510")
	built("razer", "child", "child")
}

// Ctrl-C ends what builders are building.
func TestInterruptBuilders(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.builders("razer")
	m.needs("p510", "", "endless:exec sleep 7657")
	end := m.until("exec flotilla testHost p510", "razer", "^sleep 7657$")
	m.must(lab.Control, "kill -INT $(pidof flotilla)")
	end().exits(130).says("p510: cancelled")
	m.gone("razer", "^sleep 7657$")
}

// logsIn lets a host log in to the others, until the end of the test.
func (m *machine) logsIn(host string) {
	m.t.Helper()
	for _, f := range []string{"id_ed25519", "known_hosts"} {
		m.must(host, "umask 077; mkdir -p /root/.ssh; cat >/root/.ssh/"+f+" <<'END'\n"+m.must(lab.Control, "cat /root/.ssh/"+f)+"\nEND")
	}
	m.t.Cleanup(func() { m.must(host, "rm /root/.ssh/id_ed25519 /root/.ssh/known_hosts") })
}

// With a way of its own from the build host to the target, a closure goes straight; without
// one, with a host key that the build host does not know, or if the copy fails on its way, it
// goes through here.
func TestStraightFromTheBuildHost(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.configure("razer", `build-host = "p620"`)
	deploy := func(text string) outcome {
		m.set("razer", fmt.Sprintf(`environment.etc.motd.text = %q;`, text))
		return m.run("flotilla quickDeploy razer").exits(0)
	}
	deploy("a key is missing").says("from p620 through here: p620 cannot log in to it (")
	m.settled("razer")

	m.logsIn("p620")
	before := m.handshakes("razer")
	o := deploy("there is a key").says(", straight from p620")
	if now := m.settled("razer"); m.has(lab.Control, now) {
		t.Errorf("%s came through here\n%s", now, o.stderr)
	}
	if n := m.handshakes("razer") - before; n > 3 { // whether there is a way, the copy, and the confirmation
		t.Errorf("%d handshakes at razer", n)
	}

	// Only the derivations that have changed go to the build host.
	m.set("razer", `environment.etc.issue.text = "a change";`)
	o = m.run("flotilla testHost razer -json").exits(0)
	sent := map[string]bool{}
	for line := range strings.Lines(o.stdout) {
		var e struct{ Kind, Text string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if name, ok := strings.CutPrefix(e.Text, "sending "); ok && e.Kind == "progress" {
			sent[name] = true
		}
	}
	all := len(strings.Fields(m.must(lab.Control, "nix-store -qR $(nix path-info --derivation .#nixosConfigurations.razer.config.system.build.toplevel)")))
	if n := len(sent); n == 0 || n > all/5 {
		t.Errorf("%d of %d paths were sent: %v", n, all, sent)
	}

	m.must("p620", "sed -i '/^razer/d' /root/.ssh/known_hosts")
	deploy("its key is not known").says("through here: p620 cannot log in to it (Host key verification failed.)")
	now := m.settled("razer")
	if !m.has(lab.Control, now) {
		t.Errorf("%s did not come through here", now)
	}
}

// Ctrl-C ends the copy on the build host, too.
func TestInterruptStraightCopy(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.configure("razer", `build-host = "p620"`)
	m.logsIn("p620")
	m.set("razer", `lab.bigPackageMiB = 16; lab.salt = "straight";`)
	m.fault("razer's link is narrow", m.Bandwidth(t.Context(), "razer", 4_000_000))
	t.Cleanup(func() { m.fault("razer's link is wide", m.Bandwidth(context.Background(), "razer", 0)) })
	end := m.until("exec flotilla quickDeploy razer", "p620", "^nix copy .*ssh-ng://root@razer")
	m.must(lab.Control, "kill -INT $(pidof flotilla)")
	end().exits(130).says("razer: cancelled")
	m.gone("p620", "^nix copy ")
}

// Where a Nix daemon builds, its root logs in to the builders, with the key and the host key
// that fleet.toml names; and only for users whom it trusts.
func TestBuildersOfADaemon(t *testing.T) {
	m := inLab(t)
	m.deployed()
	key := strings.Fields(m.must("p620", "base64 -w0 /etc/ssh/ssh_host_ed25519_key.pub"))[0]
	m.builders("p620\nssh-key = \"/home/deploy/.ssh/id_ed25519\"\npublic-host-key = \"" + key + "\"")
	m.needs("p510", "", "daemon:true")
	for _, user := range []string{"deploy", "guest"} {
		m.must(lab.Control, fmt.Sprintf(`cp /root/.ssh/id_ed25519 /root/.ssh/known_hosts /home/%[1]s/.ssh/ && cp -r . /home/%[1]s/fleet && chown -R %[1]s /home/%[1]s`, user))
		t.Cleanup(func() {
			m.must(lab.Control, fmt.Sprintf(`runuser -u %[1]s flotilla disconnect; rm -r /home/%[1]s/fleet /home/%[1]s/.ssh/id_ed25519 /home/%[1]s/.ssh/known_hosts`, user))
		})
	}
	as := func(user string) outcome {
		return m.run(fmt.Sprintf("cd /home/%[1]s/fleet && HOME=/home/%[1]s runuser -u %[1]s -- flotilla testHost p510", user))
	}
	as("guest").exits(1).says("[builders] cannot be used: the Nix daemon here does not trust this user", "trusted-users")
	// Root's own is out of the way.
	m.must(lab.Control, "mv /root/.ssh /root/.ssh-away")
	t.Cleanup(func() { m.must(lab.Control, "mv /root/.ssh-away /root/.ssh") })
	as("deploy").exits(0).says(" on p620")
	if b := m.built("p620"); len(b) != 1 {
		t.Errorf("p620 built %v", b)
	}
}
