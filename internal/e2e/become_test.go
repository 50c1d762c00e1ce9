package e2e

import (
	"testing"

	"github.com/nixflotilla/flotilla/internal/lab"
)

// asRoot lets deploy become root on p620 by one fixed way alone, which stands in
// for doas and for polkit's leave: neither is in the lab's image. What follows
// behind it is real: the systemd-run that becomes root by run0's way, the scripts
// that come over its standard input, and their arguments.
const asRoot = `
mkdir -p /root/away && mv /etc/sudoers.d/* /root/away
mkdir -p /usr/local/libexec && printf '#!/bin/sh\nexec "$@"\n' >/usr/local/libexec/lab-root && chmod 755 /usr/local/libexec/lab-root
echo 'deploy ALL=(root) NOPASSWD: /usr/local/libexec/lab-root' >/etc/sudoers.d/lab-root`

const notAsRoot = `mv /root/away/* /etc/sudoers.d; rm -rf /root/away /etc/sudoers.d/lab-root /usr/local/libexec/lab-root /usr/local/bin/doas /usr/local/bin/systemd-run`

const (
	fakeDoas       = `printf '#!/bin/sh\n[ "$1" = -n ] && shift\nexec sudo -n /usr/local/libexec/lab-root "$@"\n' >/usr/local/bin/doas && chmod 755 /usr/local/bin/doas`
	hangingDoas    = `printf '#!/bin/sh\nexec sleep 600\n' >/usr/local/bin/doas && chmod 755 /usr/local/bin/doas`
	fakeSystemdRun = `printf '#!/bin/sh\n[ "$(id -u)" = 0 ] || exec sudo -n /usr/local/libexec/lab-root /usr/bin/systemd-run "$@"\nexec /usr/bin/systemd-run "$@"\n' >/usr/local/bin/systemd-run && chmod 755 /usr/local/bin/systemd-run`
)

// An ordinary user becomes root by the way that works, or by the one that is
// asked for, or is told which was tried. A way that hangs is passed over.
func TestBecome(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.must("p620", asRoot)
	t.Cleanup(func() { m.must("p620", notAsRoot) })
	m.must(lab.Control, `sed -i 's/user = "root"/user = "deploy"/; s/^\[hosts.p620\]/&\nbecome = "auto"/' fleet.toml`)
	m.set("p620", `environment.etc.motd.text = "become";`)
	before := m.systems("p620")
	become := func(way string) {
		m.must(lab.Control, `sed -i 's/^become = .*/become = "`+way+`"/' fleet.toml`)
	}

	m.must("p620", hangingDoas)
	m.run("flotilla quickDeploy p620").exits(1).says("neither root nor may use sudo, doas or run0 without a password")
	m.must("p620", "pkill -x -f 'sleep 600'; "+fakeDoas)
	for way, says := range map[string]string{"none": `become = "none"`, "sudo": "may not use sudo", "run0": "may not use run0"} {
		become(way)
		m.run("flotilla quickDeploy p620").exits(1).says("survey failed", says)
	}
	if after := m.systems("p620"); after != before {
		t.Errorf("p620 changed: %+v, then %+v", before, after)
	}
	become("auto")
	m.run("flotilla quickDeploy p620").exits(0).says("runs and boots")
	m.settled("p620")

	m.must("p620", "rm /usr/local/bin/doas; "+fakeSystemdRun)
	become("run0")
	m.set("p620", `environment.etc.issue.text = "run0";`)
	m.run("flotilla quickDeploy p620").exits(0).says("runs and boots")
	m.settled("p620")
	if units := m.must("p620", "systemctl list-units --all --no-legend 'run-[pu]*.service' 'flotilla-[ac]*'"); units != "" {
		t.Errorf("left behind: %s", units)
	}
}
