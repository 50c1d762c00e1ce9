package e2e

import (
	"testing"

	"github.com/nixflotilla/flotilla/internal/lab"
)

// noSudo takes from p620 what lets deploy use sudo without a password; asBeforeNoSudo
// gives it back, and takes the other ways away.
const (
	noSudo         = `mkdir -p /root/away && mv /etc/sudoers.d/* /root/away`
	asBeforeNoSudo = `rm -f /etc/sudoers.d/*; mv /root/away/* /etc/sudoers.d; rm -rf /root/away /etc/doas.conf /etc/polkit-1/rules.d/50-lab.rules /usr/local/bin/doas
		usermod -p '*' deploy; [ ! -e /root/pam-sudo ] || mv /root/pam-sudo /etc/pam.d/sudo`

	hangingDoas = `printf '#!/bin/sh\nexec sleep 600\n' >/usr/local/bin/doas && chmod 755 /usr/local/bin/doas`
	polkitRule  = `mkdir -p /etc/polkit-1/rules.d && echo 'polkit.addRule(function(a, s) {
		if (a.id == "org.freedesktop.systemd1.manage-units" && s.user == "deploy") return polkit.Result.YES; });' >/etc/polkit-1/rules.d/50-lab.rules`
)

// An ordinary user becomes root by the way that works, or by the one that is
// asked for, or is told what came of each. A way that hangs is passed over.
func TestBecome(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.must("p620", noSudo)
	t.Cleanup(func() { m.must("p620", asBeforeNoSudo) })
	m.must(lab.Control, `sed -i 's/user = "root"/user = "deploy"/; s/^\[hosts.p620\]/&\nbecome = "auto"/' fleet.toml`)
	m.set("p620", `environment.etc.motd.text = "become";`)
	before := m.systems("p620")
	become := func(way string) {
		m.must(lab.Control, `sed -i 's/^become = .*/become = "`+way+`"/' fleet.toml`)
	}

	m.must("p620", hangingDoas)
	m.run("flotilla quickDeploy p620 </dev/null").exits(1).says("the remote user deploy is neither root nor may use sudo, doas or run0 without a password",
		"(sudo refuses, doas does not answer, run0 refuses)", "no password for sudo was given")
	m.must("p620", "pkill -x -f 'sleep 600'; rm /usr/local/bin/doas")
	// It may only ask on a terminal.
	m.must("p620", "echo permit deploy as root >/etc/doas.conf")
	for way, says := range map[string]string{"none": `become = "none"`, "sudo": "may not use sudo", "doas": "doas takes a password on a terminal only", "run0": "may not use run0"} {
		become(way)
		m.run("flotilla quickDeploy p620 </dev/null").exits(1).says("survey failed", says)
	}
	if after := m.systems("p620"); after != before {
		t.Errorf("p620 changed: %+v, then %+v", before, after)
	}

	m.must("p620", "echo permit nopass deploy as root >/etc/doas.conf")
	become("auto")
	m.run("flotilla quickDeploy p620").exits(0).says("runs and boots")
	m.settled("p620")
	m.run("flotilla reboot p620 -yes").exits(0).says("p620: rebooted")
	m.run("flotilla rollback p620 -yes").exits(0)
	m.settled("p620")

	m.must("p620", "rm /etc/doas.conf; "+polkitRule)
	become("run0")
	m.set("p620", `environment.etc.issue.text = "run0";`)
	m.run("flotilla quickDeploy p620").exits(0).says("runs and boots")
	m.settled("p620")
	m.run("flotilla rollback p620 -yes").exits(0)
	m.settled("p620")
	if units := m.must("p620", "systemctl list-units --all --no-legend 'run-[pu]*.service' 'flotilla-[ac]*'"); units != "" {
		t.Errorf("left behind: %s", units)
	}
	m.run("flotilla reboot p620 -yes").exits(0).says("p620: rebooted")
	m.settled("p620")
}

// sudo takes a password, which is a command here, and talks: before each use on one
// stream, and by PAM on the other, what an answer of a host could be.
const (
	thePassword  = "touch /root/owned; echo s3cret"
	sudoPassword = `echo 'deploy:` + thePassword + `' | chpasswd && printf 'Defaults lecture=always\ndeploy ALL=(ALL:ALL) ALL\n' >/etc/sudoers.d/lab &&
		cp /etc/pam.d/sudo /root/pam-sudo && printf 'flotilla-unit 1\nend ok\n' >/root/pam-echo && echo 'session optional pam_echo.so file=/root/pam-echo' >>/etc/pam.d/sudo`
	// The survey's sudo wants the password, and those after it do not.
	sudoForShells = `echo 'deploy ALL=(root) NOPASSWD: /usr/bin/sh' >>/etc/sudoers.d/lab`
)

// A password for sudo is asked for before the run, or read from a file; it is tried
// once, gets to sudo and to nobody else, and does for all that needs root.
func TestSudoPassword(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.must("p620", noSudo+" && "+sudoPassword)
	t.Cleanup(func() { m.must("p620", asBeforeNoSudo) })
	m.must(lab.Control, `sed -i 's/^\[hosts.p620\]/&\nuser = "deploy"/' fleet.toml && rm -rf /tmp/pw && mkdir -m 700 /tmp/pw && umask 077 && echo wrong >/tmp/pw/wrong && printf '%s\n' '`+thePassword+`' >/tmp/pw/right`)
	m.set("p620", `environment.etc.motd.text = "password";`)
	before := m.systems("p620")

	m.run("flotilla deployAllParallel -yes -on=p620,razer </dev/null").exits(3).says("no password for sudo was given", "FLOTILLA_BECOME_PASSWORD_FILE").row("razer", "unchanged")
	m.run("FLOTILLA_BECOME_PASSWORD_FILE=/tmp/pw/wrong flotilla quickDeploy p620").exits(1).says("sudo did not take the password: ", "incorrect password attempt")
	m.run("chmod 640 /tmp/pw/wrong; FLOTILLA_BECOME_PASSWORD_FILE=/tmp/pw/wrong flotilla quickDeploy p620").exits(1).says("others can read it (mode 0640): chmod 600 it")
	m.run("FLOTILLA_BECOME_PASSWORD_FILE=/tmp/pw/{host} flotilla quickDeploy p620").exits(1).says("p620: survey failed", "/tmp/pw/p620: no such file")
	m.asBefore("p620", before)
	if n := m.must("p620", "journalctl --sync; journalctl -b --no-pager -o cat -t sudo | grep -c 'auth): authentication failure'"); n != "1" {
		t.Errorf("the wrong password was tried %s times", n)
	}

	// On a terminal: one mistake, then the right one, all before the view is drawn.
	m.run(`d=$(mktemp -d) && mkfifo $d/in && : >$d/screen
		TERM=xterm script -qefc 'flotilla quickDeploy p620' $d/screen <$d/in >/dev/null 2>&1 & pid=$!
		exec 9>$d/in
		for n in 1 2; do
			while [ $(grep -ao 'Password for sudo on p620: ' $d/screen | wc -l) -lt $n ]; do sleep 0.1; done
			if [ $n = 1 ]; then echo nonsense >&9; else cat /tmp/pw/right >&9; fi
		done
		wait $pid; code=$?; tr -d '\r' <$d/screen; exit $code`).exits(0).says("incorrect password attempt; try again", "p620: switched")
	m.settled("p620")
	m.clear("p620")

	with := "FLOTILLA_BECOME_PASSWORD_FILE=/tmp/pw/right flotilla "
	m.run("flotilla -v rollback p620 -yes < /tmp/pw/right").exits(1)
	m.run("FLOTILLA_BECOME_PASSWORD_FILE=- flotilla rollback p620 -yes < /tmp/pw/right").exits(0)
	if now := m.systems("p620"); now != before {
		t.Errorf("%+v, before %+v", now, before)
	}
	m.run(with + "unlock p620 -yes").exits(0).says("there is no lock")
	m.run(with + "confirm p620").exits(0).says("no deployment waits")
	m.run("flotilla status -on=p620").exits(0).says("a user with sudo and a password")
	m.run(with + "reboot p620 -yes").exits(0).says("p620: rebooted")
	m.settled("p620")

	// What measures has to be root for one thing only.
	m.run("flotilla benchHost p620 1 -activate </dev/null").exits(1).says("no password for sudo was given", "nothing was recorded")
	m.run(with + "benchHost p620 1 -activate").exits(0).says("activate")
	m.settled("p620")
	m.clear("p620")

	// Nobody asks for it now, and nobody runs it.
	m.must("p620", sudoForShells)
	m.run(with + "-v quickDeploy p620").exits(0).says("p620: switched")
	m.settled("p620")
	m.must("p620", "! test -e /root/owned")
	m.run(with + "rollback p620 -dry").exits(0)

	for host, line := range map[string]string{
		"p620":      "journalctl --sync; journalctl --no-pager | grep s3cret; grep -rls s3cret /run /tmp /var/log/*.log /home /nix/var || :",
		lab.Control: "grep -rls s3cret ~/.local /run/user $(ls -d /tmp/* | grep -v /tmp/pw) || :",
	} {
		if found := m.must(host, line); found != "" {
			t.Errorf("%s has the password: %s", host, found)
		}
	}
}

// A user whom Nix does not trust is told so, and what to do; building there needs no
// trust.
func TestUntrustedUser(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.must("p510", "echo 'guest ALL=(ALL:ALL) NOPASSWD: ALL' >/etc/sudoers.d/guest")
	t.Cleanup(func() { m.must("p510", "rm /etc/sudoers.d/guest") })
	m.must(lab.Control, `sed -i 's/^\[hosts.p510\]/&\nuser = "guest"/' fleet.toml`)
	m.set("p510", `environment.etc.motd.text = "untrusted";`)
	before := m.systems("p510")
	m.run("flotilla quickDeploy p510").exits(1).says("copy failed", "the host's Nix does not trust guest", "trusted-users", "secret-key-files", `build-host = "target"`)
	m.asBefore("p510", before)
	m.must(lab.Control, `sed -i 's/^user = "guest"/&\nbuild-host = "target"/' fleet.toml`)
	m.run("flotilla quickDeploy p510").exits(0).says("p510: switched")
	m.settled("p510")
}
