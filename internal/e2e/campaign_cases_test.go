package e2e

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nixflotilla/flotilla/internal/lab"
)

// faults are the cases of the campaign besides those at points.
var faults = []fault{
	{"confirmed at the last moment", true, confirmedAtTheLastMoment},
	{"clock jumps forwards", true, clockForwards},
	{"clock jumps backwards", false, clockBackwards},
	{"full /tmp", true, fullTmp},
	{"full store at the commit", true, fullStore},
	{"full store at the commit, after one that was cut short", false, fullStoreUnsettled},
	{"full /run before", true, fullRunBefore},
	{"full /run at the commit", false, fullRunAtCommit},
	{"full /run, interface down", false, fullRunGoingBack},
	{"service manager executed anew, confirmed", false, reexecConfirmed},
	{"service manager executed anew, not confirmed", true, reexecNotConfirmed},
	{"service manager reloaded again and again, confirmed", false, reloadedConfirmed},
	{"service manager reloaded again and again, not confirmed", true, reloadedNotConfirmed},
	{"service manager reloaded again and again, failed", false, reloadedFailed},
	{"service manager reloaded again and again, activation does not end", false, reloadedHanging},
	{"nix-daemon killed in the copy", false, daemonKilled},
	{"journal vacuumed while followed", true, journalVacuumed},
	{"slow link", false, slowLink(200*time.Millisecond, 0)},
	{"slow and lossy link", true, slowLink(200*time.Millisecond, 3)},
	{"slow and lossy link, interface down", false, slowLinkBroken},
	{"two controllers", true, twoControllers},
	{"third party, before it is looked for", false, thirdParty("activated", false)},
	{"third party, before the commit", false, thirdParty("reached again", true)},
	{"third party, during the activation", false, thirdPartyTooEarly},
	{"hostile journal", true, hostileJournal},
	{"hostile journal, failing", false, hostileFailure},
	{"hostile host", false, hostileHost},
	{"another host key", true, anotherHostKey},
	{"rebooted before the commit", false, rebooted("reached again")},
	{"rebooted in the commit", false, rebooted("profile set")},
	{"guard killed while it goes back", true, guardKilled},
	{"guard killed, and another controller", true, guardKilledOther},
	{"guard killed again and again", false, guardKilledAgain},
	{"power cut while it goes back", false, powerCutGoingBack},
	{"restore killed", false, restoreKilled},
	{"commit killed, marker made", false, commitKilled("marker made", false)},
	{"commit killed, profile set", false, commitKilled("profile set", false)},
	{"commit killed, boot entry made", false, commitKilled("boot entry made", false)},
	{"commit and controller killed, profile set", true, commitKilled("profile set", true)},
	{"commit once it has gone back", true, lateCommit},
	{"two would go back", true, twoGoBack},
	{"activation that does not end when told to", false, deafActivation},
	{"unit that never starts", false, hangingUnit},
	{"link cut in the commit", false, linkCutInCommit},
}

// The short timer runs out while the commit is at work: that has decided.
func confirmedAtTheLastMoment(s *site) {
	before := s.forgetful()
	s.waits("60s", "2s")
	s.wants("")
	d := s.heldAt("marker made")
	s.on("while ! systemctl is-active --quiet 'flotilla-confirm-*.service'; do sleep 0.05; done")
	s.release()
	d.end().exits(0).says("runs and boots")
	s.committed(before)
	s.clear(s.host)
}

// monotonic wants the host's timers to follow no clock that can be set. The lab's
// machines are containers, which share their kernel's clock: it cannot be set for one,
// and must not be for this machine. What stands in for a jump is all that the host's
// scripts see of the clock: date(1), and the times of files.
func (s *site) monotonic(timers ...string) {
	s.t.Helper()
	for _, timer := range timers {
		shown := s.on("systemctl show -p TimersMonotonic -p TimersCalendar -p WakeSystem 'flotilla-" + timer + "-*.timer'")
		if !strings.Contains(shown, "OnActiveUSec=") || strings.Contains(shown, "OnCalendar") || !strings.Contains(shown, "WakeSystem=no") {
			s.t.Errorf("%s: the %s timer is %s", s.host, timer, shown)
		}
	}
}

func (s *site) clockJumps(by, filesBy string) {
	s.t.Helper()
	s.on(fmt.Sprintf(`printf '#!/bin/sh\nexec /usr/bin/date -d "%s" "$@"\n' >/run/lab-gate/bin/date && chmod 755 /run/lab-gate/bin/date
		find /run/flotilla -exec touch -h -d "%s" {} +`, by, filesBy))
}

func clockForwards(s *site) {
	before := s.forgetful()
	s.waits("60s", "1s")
	s.wants("")
	d := s.heldAt("activated")
	s.monotonic("guard")
	s.clockJumps("12 years", "12 years ago")
	d.kill()
	s.release()
	s.byItself(before)
	s.on("rm /run/lab-gate/bin/date")
}

func clockBackwards(s *site) {
	before := s.forgetful()
	s.waits("60s", "60s")
	s.wants("")
	d := s.heldAt("reached again")
	s.monotonic("guard", "confirm")
	s.clockJumps("12 years ago", "12 years")
	s.release()
	d.end().exits(0).says("runs and boots")
	s.on("rm /run/lab-gate/bin/date")
	s.committed(before)
	s.clear(s.host)
}

// fill leaves no room in a file system in memory.
const fill = `used=$(df -k --output=used %[1]s | tail -n 1) && mount -o remount,size=$((used + 4))k %[1]s
head -c 10000000 /dev/zero >%[1]s/full 2>/dev/null; [ "$(df -k --output=avail %[1]s | tail -n 1)" -eq 0 ]`

// refill takes what others let go of in there, as systemd does of files of units that
// have ended: enough for a deployment, in 2 of 20 rounds.
const refill = `setsid sh -c 'while [ -e %[1]s/full ]; do dd if=/dev/zero of=%[1]s/full bs=1k count=1000 oflag=append conv=notrunc,nocreat; sleep 0.02; done' </dev/null >/dev/null 2>&1 &`
const drain = `rm -f %[1]s/full; mount -o remount,size=10%% %[1]s`

// As on NixOS, sh is bash, which has need of files where others do without.
func fullTmp(s *site) {
	before := s.forgetful()
	s.waits("60s", "60s")
	s.on("ln -sfn bash /bin/sh; " + fmt.Sprintf(fill, "/tmp"))
	s.t.Cleanup(func() { s.on("ln -sfn dash /bin/sh; " + fmt.Sprintf(drain, "/tmp")) })
	s.wants("")
	s.deploy().exits(0)
	s.committed(before)
	s.clear(s.host)
	before = s.forgetful()
	s.waits("60s", "3s")
	s.wants("lab.cutNetwork = true;")
	s.deploy().exits(4).says("it was not confirmed within 3s")
	s.back(before)
}

func fullStore(s *site) {
	before := s.forgetful()
	s.waits("60s", "60s")
	s.wants("")
	d := s.heldAt("reached again")
	s.fault("full", s.FillDisk(s.t.Context(), s.host, 0))
	s.t.Cleanup(func() { s.fault("free", s.FreeDisk(context.Background(), s.host)) })
	s.release()
	d.end().exits(4).says("making it the one that boots failed", "the old system was brought back: it runs and boots ")
	s.back(before)
	s.clear(s.host)
}

// What an earlier commit left unsettled is so still after one that fails.
func fullStoreUnsettled(s *site) {
	s.forgetful()
	s.waits("60s", "60s")
	s.wants("")
	d := s.heldAt("reached again")
	s.on("echo /nix/store/earlier >/nix/var/nix/flotilla-uncommitted")
	s.fault("full", s.FillDisk(s.t.Context(), s.host, 0))
	s.t.Cleanup(func() { s.fault("free", s.FreeDisk(context.Background(), s.host)) })
	s.release()
	d.end().exits(4).says("making it the one that boots failed")
	s.on("[ -e /nix/var/nix/flotilla-uncommitted ]")
	s.fault("free", s.FreeDisk(s.t.Context(), s.host))
	before := s.systems(s.host)
	s.deploy().exits(0)
	s.committed(before)
}

func fullRunBefore(s *site) {
	before := s.forgetful()
	s.wants("")
	s.on(fmt.Sprintf(fill+"\n"+refill, "/run"))
	s.t.Cleanup(func() { s.on(fmt.Sprintf(drain, "/run")) })
	s.deploy().exits(1).says("the host cannot be guarded, so that nothing was activated")
	s.back(before)
	s.clear(s.host)
}

func fullRunAtCommit(s *site) {
	before := s.forgetful()
	s.waits("60s", "60s")
	s.wants("")
	d := s.heldAt("reached again")
	s.on(fmt.Sprintf(fill, "/run"))
	s.t.Cleanup(func() { s.on(fmt.Sprintf(drain, "/run")) })
	s.release()
	d.end().exits(0).says("runs and boots")
	s.committed(before)
	s.clear(s.host)
}

func fullRunGoingBack(s *site) {
	before := s.forgetful()
	s.waits("20s", "3s")
	s.wants("lab.cutNetwork = true;")
	d := s.heldAt("activated")
	s.on(fmt.Sprintf(fill, "/run"))
	s.t.Cleanup(func() { s.on(fmt.Sprintf(drain, "/run")) })
	s.release()
	d.end().exits(4).says("it was not confirmed within ", "it runs and boots ", "as before")
	s.back(before)
	s.clear(s.host)
}

func reexecConfirmed(s *site) {
	before := s.forgetful()
	s.waits("60s", "60s")
	s.wants("")
	d := s.heldAt("activating")
	s.on("systemctl daemon-reexec")
	s.stopAt(at("reached again"))
	s.arrived(1)
	s.on("systemctl daemon-reexec")
	s.release()
	d.end().exits(0).says("past the point", "runs and boots")
	s.committed(before)
	s.clear(s.host)
}

func reexecNotConfirmed(s *site) {
	before := s.forgetful()
	s.waits("60s", "3s")
	s.wants("")
	d := s.heldAt("activating")
	s.on("systemctl daemon-reexec")
	d.kill()
	s.release()
	s.on("while ! systemctl is-active --quiet 'flotilla-confirm-*.timer'; do sleep 0.05; done; systemctl daemon-reexec")
	s.byItself(before)
}

// reloads has the service manager reload its units every second, which has timers begin anew
// (seen with systemd 257), until what it returns is called.
func (s *site) reloads() (end func()) {
	s.t.Helper()
	s.on("systemd-run --quiet --unit=lab-reloads sh -c 'while :; do systemctl daemon-reload; sleep 1; done'")
	return func() { s.on("systemctl stop lab-reloads.service") }
}

func reloadedConfirmed(s *site) {
	before := s.forgetful()
	s.waits("60s", "20s")
	s.wants("")
	defer s.reloads()()
	s.deploy().exits(0)
	s.committed(before)
	s.clear(s.host)
}

func reloadedNotConfirmed(s *site) {
	before := s.forgetful()
	s.waits("600s", "3s")
	s.wants("")
	d := s.heldAt("activating")
	d.kill()
	defer s.reloads()()
	s.release()
	s.byItself(before)
}

// What watches over the host does not end with an activation that failed.
func reloadedFailed(s *site) {
	before := s.forgetful()
	s.waits("600s", "3s")
	s.wants("lab.failUnit = true;")
	d := s.heldAt("activating")
	d.kill()
	defer s.reloads()()
	s.release()
	s.byItself(before)
}

func reloadedHanging(s *site) {
	before := s.forgetful()
	s.waits("4s", "600s")
	s.wants("lab.unitStartSeconds = 600;")
	defer s.reloads()()
	s.deploy().exits(4).says("its activation did not end within 4s")
	s.back(before)
	s.clear(s.host)
}

func daemonKilled(s *site) {
	before := s.forgetful()
	s.waits("60s", "60s")
	s.wants(s.big(at("copying")))
	d := s.heldAt("copying")
	s.on("pkill -KILL -x nix-daemon")
	s.release()
	d.end().exits(1).says("copy failed")
	s.back(before)
	s.deploy().exits(0)
	s.committed(before)
}

func journalVacuumed(s *site) {
	before := s.forgetful()
	s.waits("60s", "60s")
	s.wants("")
	d := s.heldAt("activating")
	s.on("journalctl --rotate --vacuum-size=1 2>/dev/null; journalctl --rotate --vacuum-time=1s 2>/dev/null; systemctl kill -s KILL systemd-journald.service")
	s.release()
	d.end().exits(0).says("past the point", "runs and boots")
	s.committed(before)
	s.clear(s.host)
}

func slowLink(rtt time.Duration, loss float64) func(*site) {
	return func(s *site) {
		before := s.forgetful()
		s.wants("")
		s.fault("slow", s.Latency(s.t.Context(), s.host, rtt))
		s.fault("lossy", s.Loss(s.t.Context(), s.host, loss))
		s.t.Cleanup(func() {
			s.fault("fast", s.Latency(context.Background(), s.host, 0))
			s.fault("sound", s.Loss(context.Background(), s.host, 0))
		})
		s.deploy().exits(0).says("runs and boots")
		s.committed(before)
		s.clear(s.host)
	}
}

func slowLinkBroken(s *site) {
	before := s.forgetful()
	s.waits("60s", "5s")
	s.wants("lab.cutNetwork = true;")
	s.fault("slow", s.Latency(s.t.Context(), s.host, 200*time.Millisecond))
	s.fault("lossy", s.Loss(s.t.Context(), s.host, 3))
	s.t.Cleanup(func() {
		s.fault("fast", s.Latency(context.Background(), s.host, 0))
		s.fault("sound", s.Loss(context.Background(), s.host, 0))
	})
	s.deploy().exits(4).says("it was not confirmed within 5s")
	s.back(before)
}

// twoControllers come to the lock at the same instant.
func twoControllers(s *site) {
	before := s.forgetful()
	s.waits("60s", "60s")
	s.wants("")
	other := s.dir + "-other"
	s.must(lab.Control, fmt.Sprintf("rm -rf %[2]s && cp -r %[1]s %[2]s", s.dir, other))
	s.writeConfiguration(other, s.other(), `environment.etc.issue.text = "the other's";`)
	s.stopAt(at("guard armed"))
	one, two := s.begin(), s.beginIn(other)
	s.arrived(2)
	s.release()
	first, second := one.end(), two.end()
	if first.code != 0 {
		first, second = second, first
	}
	first.exits(0).says("runs and boots")
	second.exits(1).says(s.host+": locked", "the host is locked by root@control (pid ")
	s.committed(before)
	s.clear(s.host)
}

// installer is another system that the host has.
const installer = "set -- /nix/store/*-nixos-system-installer-*/bin/switch-to-configuration; "

func thirdParty(point string, committed bool) func(*site) {
	return func(s *site) {
		before := s.forgetful()
		s.waits("60s", "60s")
		s.wants("")
		d := s.heldAt(point)
		other := s.on(installer + "$1 test >/dev/null 2>&1; readlink -f /run/current-system")
		s.release()
		o := d.end().exits(1).says(s.host+": failed", "the host runs ", short(other), "someone else is changing this host")
		s.quiet()
		now := s.systems(s.host)
		if now.current != other || now.profile != now.boot || (now.boot == before.boot) == committed {
			s.t.Errorf("before %+v, then %+v\n%s", before, now, o.stderr)
		}
		s.unmarked()
	}
}

func thirdPartyTooEarly(s *site) {
	before := s.forgetful()
	s.waits("60s", "60s")
	s.wants("")
	d := s.heldAt("activating")
	s.on(installer + "$1 test; [ $? = 11 ]")
	s.release()
	d.end().exits(0)
	s.committed(before)
	s.clear(s.host)
}

// hostile are lines that look like the host's answers, or do something to a terminal,
// or are not text.
const hostile = `
    printf '%s\n' 'end ok' 'result success' 'status 0' 'code 1' 'ended committed 0' 'untouched yes' 'log no' 'cursor no' 'problem no' 'flotilla-unit 1' \
      'current /nix/store/00000000000000000000000000000000-evil' 'profile /' '-- cursor: s=0' '@flotilla done' '@nix {}' '{"kind":"report"}' '-n' '$(reboot)' '"; reboot; "'
    printf '\033[2J\033]0;owned\007\r\033[1Aall is well\n\000nul\000\n\377\376 no text\n\302\2331mcsi\n\342\200\256txet\n'
    head -c 200000 /dev/zero | tr '\\0' x; echo
    echo '-- cursor: s=00000000;i=1'
`

func hostileModule(more string) string {
	return `system.activationScripts.labHostile = { deps = [ "labPoint" ]; text = ''` + hostile + more + `''; };`
}

func hostileJournal(s *site) {
	before := s.forgetful()
	s.waits("60s", "60s")
	s.wants(hostileModule("") + `systemd.services."lab--r@--f" = { wantedBy = [ "multi-user.target" ]; description = "end ok $(reboot)"; script = ''` + hostile + `''; serviceConfig = { Type = "oneshot"; RemainAfterExit = true; }; };`)
	s.deploy().exits(0).says("runs and boots").harmless()
	s.committed(before)
	s.clear(s.host)
}

func hostileFailure(s *site) {
	before := s.forgetful()
	s.waits("60s", "60s")
	s.wants(hostileModule("false") + `systemd.services."lab--r@--f" = { wantedBy = [ "multi-user.target" ]; description = "end ok"; script = ''` + hostile + `exit 1''; serviceConfig.Type = "oneshot"; };`)
	s.deploy().exits(4).says(s.host+": rolled-back", "the old system was brought back: it runs and boots ").harmless()
	s.back(before)
	s.clear(s.host)
}

// hostileHost greets each session, and has a hostile lock that somebody left. What is
// greeted on the standard output is in the way of Nix, whose protocol runs there.
func hostileHost(s *site) {
	before := s.forgetful()
	s.waits("60s", "60s")
	s.on(`cp /root/.bashrc /root/bashrc.away
		printf 'Welcome\033[2J\n\377\n\nflotilla-survey 1\nboot-id evil\ncurrent /nix/store/evil\n' >/etc/lab-greeting
		{ echo 'cat /etc/lab-greeting'; cat /root/bashrc.away; } >/root/.bashrc
		echo 'Banner /etc/lab-greeting' >/etc/ssh/sshd_config.d/zz-lab.conf && systemctl reload ssh
		mkdir -p /run/flotilla/left && printf 'by mallory\033[2J\007\377\nsince 99999999999999999999\n' >/run/flotilla/left/deployment && ln -s left /run/flotilla/lock`)
	s.t.Cleanup(func() {
		s.on("mv /root/bashrc.away /root/.bashrc; rm -f /etc/ssh/sshd_config.d/zz-lab.conf /etc/lab-greeting; systemctl reload ssh; while ! ss -Hlnt 'sport = 22' | grep -q .; do sleep 0.05; done")
	})
	s.wants("")
	s.deploy().exits(1).says("copy failed", "protocol mismatch, got 'Welcome").harmless()
	if now := s.systems(s.host); now != before {
		s.t.Errorf("%+v, before %+v", now, before)
	}
	s.on("sed -i '1s/$/ >\\&2/' /root/.bashrc")
	s.deploy().exits(0).says("runs and boots", "took over the lock of mallory").harmless()
	s.committed(before)
	s.clear(s.host)
}

// The new system has another host key: nobody who had verified the old one gets in.
func anotherHostKey(s *site) {
	before := s.forgetful()
	s.waits("60s", "4s")
	s.wants(`systemd.services.lab-host-key = { wantedBy = [ "multi-user.target" ]; serviceConfig = { Type = "oneshot"; RemainAfterExit = true;
		ExecStop = "/bin/sh -c 'mv /etc/ssh/away /etc/ssh/ssh_host_ed25519_key; systemctl reload --no-block ssh.service'"; };
		script = "mv /etc/ssh/ssh_host_ed25519_key /etc/ssh/away; ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key; systemctl reload ssh.service"; };`)
	s.deploy().exits(4).says(s.host+": rolled-back", "warning: no new connection to the host can be made", "host key", "it was not confirmed within 4s", "it runs and boots ", "as before")
	s.back(before)
	s.clear(s.host)
}

// The host is rebooted, in good order, into what was not confirmed: the old system
// boots, since the boot entry is made last.
func rebooted(point string) func(*site) {
	return func(s *site) {
		before := s.forgetful()
		s.waits("60s", "60s")
		s.wants("")
		d := s.heldAt(point)
		boot := s.bootID(s.host)
		s.runOn(s.host, "systemctl reboot")
		d.end().exits(1).says(s.host+": failed", "the host has rebooted in the meantime", "it runs ", "deploy again")
		s.powerOn(s.host) // waits until it is up
		if s.bootID(s.host) == boot {
			s.t.Error("not rebooted")
		}
		s.quiet()
		if now := s.systems(s.host); now.current != before.current || now.boot != before.boot {
			s.t.Errorf("before %+v, then %+v", before, now)
		}
		s.deploy().exits(0)
		s.committed(before)
	}
}

// goingBack is a deployment without a controller whose guard is at work, and waits in
// the activation of the old system.
func (s *site) goingBack() systems {
	s.t.Helper()
	before := s.forgetful()
	s.waits("60s", "1s")
	s.wants("")
	d := s.heldAt("activated")
	d.kill()
	s.stopAt(at("activating"))
	s.arrived(1)
	return before
}

func guardKilled(s *site) {
	before := s.goingBack()
	s.on("systemctl kill -s KILL 'flotilla-confirm-*.service'")
	s.release()
	s.byItself(before)
}

// Who comes while a guard that was killed begins anew does not get the host.
func guardKilledOther(s *site) {
	before := s.goingBack()
	s.on(`guard='flotilla-confirm-*.service'
		systemctl kill -s KILL "$guard"
		for m in $(seq 100); do systemctl is-active --quiet "$guard" || break; sleep 0.01; done`)
	s.deploy().exits(1).says(s.host + ": locked")
	s.arrived(2)
	s.deploy().exits(1).says(s.host + ": locked")
	s.release()
	s.byItself(before)
}

// The service manager gives up what fails five times in ten seconds, as long as nothing else is said.
func guardKilledAgain(s *site) {
	before := s.forgetful()
	s.waits("600s", "1s")
	s.wants("")
	d := s.heldAt("activated")
	d.kill()
	s.stopAt(at("activating"))
	s.arrived(1)
	s.on(`guard='flotilla-confirm-*.service'
		for n in 1 2 3 4 5 6; do
			for m in $(seq 100); do ! systemctl is-active --quiet "$guard" || break; sleep 0.1; done
			systemctl kill -s KILL "$guard"
			for m in $(seq 100); do systemctl is-active --quiet "$guard" || break; sleep 0.01; done
		done`)
	s.release()
	s.byItself(before)
}

func powerCutGoingBack(s *site) {
	before := s.goingBack()
	s.fault("off", s.PowerOff(s.t.Context(), s.host))
	s.powerOn(s.host)
	s.back(before)
	s.clear(s.host)
}

// Who gives the new system up dies of it: the guard does it.
func restoreKilled(s *site) {
	before := s.forgetful()
	s.waits("60s", "5s")
	s.wants("lab.failUnit = true;")
	d := s.heldAt("activated")
	s.stopAt(at("activating"))
	s.arrived(1)
	s.on("systemctl kill -s KILL 'flotilla-restore-*.service'")
	s.release()
	d.end().exits(4).says(s.host + ": rolled-back")
	s.back(before)
	s.clear(s.host)
}

// A commit that does not live to see its end is undone.
func commitKilled(point string, controller bool) func(*site) {
	return func(s *site) {
		before := s.forgetful()
		s.waits("60s", "4s")
		s.wants("")
		d := s.heldAt(point)
		if controller {
			d.kill()
		}
		s.on("systemctl kill -s KILL 'flotilla-commit-*.service'")
		s.release()
		if controller {
			s.byItself(before)
			return
		}
		d.end().exits(4).says(s.host+": rolled-back", "it runs and boots ")
		s.back(before)
		s.clear(s.host)
	}
}

// The commit is about to begin when the host goes back: that is what is told, and nothing
// of it is left.
func lateCommit(s *site) {
	// Cases whose controller was killed have left theirs.
	const deployments = "ls -d /run/flotilla/*/ 2>/dev/null || :"
	before, others := s.forgetful(), s.on(deployments)
	s.waits("60s", "1s")
	s.wants("")
	d := s.heldAt("reached again")
	s.on("for n in $(seq 600); do [ ! -e /run/flotilla/report ] || exit 0; sleep 0.1; done; exit 1")
	s.release()
	d.end().exits(4).says(s.host+": commit failed: the host went back to the old system by itself: it was not confirmed within 1s", "it runs and boots ")
	s.back(before)
	if left := s.on(deployments); left != others {
		s.t.Errorf("left: %s, and before: %s", left, others)
	}
	if left := s.on("systemctl list-units --all --no-legend --plain 'flotilla-commit-*'"); left != "" {
		s.t.Errorf("left: %s", left)
	}
}

// The commit is killed while the guard waits for it, which has the controller give the
// system up as well: of the two that wait for each other then, one has to go on.
func twoGoBack(s *site) {
	before := s.forgetful()
	s.waits("60s", "1s")
	s.wants("")
	d := s.heldAt("marker made")
	s.on("while ! systemctl is-active --quiet 'flotilla-confirm-*.service'; do sleep 0.05; done; systemctl kill -s STOP 'flotilla-commit-*.service'")
	s.stopAt(point{call: "systemctl show -p SubState --value -- flotilla-commit-*.service flotilla-restore-*"})
	s.arrived(1)
	s.on("systemctl kill -s KILL 'flotilla-commit-*.service'; while ! systemctl is-active --quiet 'flotilla-restore-*.service'; do sleep 0.05; done")
	s.release()
	d.end().exits(4).says(s.host+": rolled-back", "it runs and boots ")
	s.back(before)
	s.clear(s.host)
}

func deafActivation(s *site) {
	before := s.forgetful()
	s.waits("3s", "60s")
	s.wants(`system.activationScripts.labDeaf.text = "trap : TERM; while :; do sleep 1; done";`)
	s.deploy().exits(4).says("its activation did not end within 3s")
	s.back(before)
	s.clear(s.host)
}

func hangingUnit(s *site) {
	before := s.forgetful()
	s.waits("4s", "60s")
	s.wants("lab.unitStartSeconds = 600;")
	s.deploy().exits(4).says("its activation did not end within 4s")
	s.back(before)
	s.clear(s.host)
}

func linkCutInCommit(s *site) {
	before := s.forgetful()
	s.waits("60s", "60s")
	s.wants("")
	d := s.heldAt("profile set")
	s.fault("link cut", s.Cut(s.t.Context(), s.host))
	s.release()
	s.unlocked(s.host)
	s.fault("link restored", s.Restore(s.t.Context(), s.host))
	d.end().exits(0)
	s.committed(before)
	s.clear(s.host)
}
