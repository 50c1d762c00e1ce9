package e2e

import (
	"fmt"
	"strings"

	"github.com/nixflotilla/flotilla/internal/lab"
)

// point is an instant of a deployment, told by the program that its scripts are
// about to call, or have just called. It is observed from outside: a stand-in of the
// program's name waits there for as long as the test wants it to.
type point struct {
	name string
	// after is for the program having ended, instead of not having begun.
	after bool
	// call is the program and its arguments, as a pattern of sh(1).
	call string
}

// points are in the order of a deployment.
var points = []point{
	{name: "copying", call: "copy"},
	{name: "copied", call: "nix-store --check-validity /nix/store/*"},
	{name: "directory made", call: "systemd-run * --unit=flotilla-guard-*"},
	{name: "guard armed", call: "ln -sn * /run/flotilla/lock"},
	{name: "lock taken", call: "systemd-run * --unit=flotilla-activate-*"},
	{name: "activating", call: "true activating"},
	{name: "activated", call: "systemd-run * --unit=flotilla-confirm-*"},
	{name: "reached again", call: "systemd-run * --unit=flotilla-commit-*"},
	{name: "marker made", call: "nix-env --profile * --set *"},
	{name: "profile set", after: true, call: "nix-env --profile * --set *"},
	{name: "boot entry made", call: "rm -f /nix/var/nix/flotilla-uncommitted"},
	{name: "marker removed", after: true, call: "rm -f /nix/var/nix/flotilla-uncommitted"},
	{name: "over", call: "systemctl stop -- flotilla-guard-*"},
	{name: "timers disarmed", call: "mkdir */taken"},
}

func at(name string) point {
	for _, p := range points {
		if p.name == name {
			return p
		}
	}
	panic("no point " + name)
}

// gatekeeper installs the stand-ins where the host's scripts look first. /run forgets
// them with the power.
const gatekeeper = `set -e
mkdir -p /run/lab-gate/bin /run/wrappers
# What the case before has left may be about to run what is replaced.
put() { cat >$1.new && chmod 755 $1.new && mv $1.new $1; }
put /run/lab-gate/gate <<'END'
#!/bin/sh
gate=/run/lab-gate name=${0##*/}
point() { cat $gate/point 2>/dev/null; }
hold() {
  echo "$name $*" >>$gate/reached
  while [ "$(point)" = "$now" ]; do /usr/bin/sleep 0.05; done
}
now=$(point)
when=${now%% *} call=${now#* }
case "$name $*" in $call) ;; *) when= ;; esac
case $when in
  before) hold "$@" ;;
  after)
    /usr/bin/$name "$@"
    code=$?
    hold "$@"
    exit $code
    ;;
esac
exec /usr/bin/$name "$@"
END
put /run/lab-gate/copy <<'END'
#!/bin/sh
case $(cat /run/lab-gate/point 2>/dev/null) in
  *' copy') ;;
  *) exec /usr/bin/nix-daemon "$@" ;;
esac
{
  dd bs=4096 count=100 status=none
  echo copy >>/run/lab-gate/reached
  while grep -qs ' copy$' /run/lab-gate/point; do sleep 0.05; done
  cat
} | /usr/bin/nix-daemon "$@"
END
for name in systemd-run systemctl journalctl nix-env nix-store ln mkdir rm true; do ln -sf ../gate /run/lab-gate/bin/$name; done
ln -sfn /run/lab-gate/bin /run/wrappers/bin
ln -sfn /run/lab-gate /nix/var/nix/profiles/default
# Of the old system, that its guard calls.
own=$(readlink -f /run/current-system/systemd)/bin
mountpoint -q $own || mount --bind /run/lab-gate/bin $own
printf '#!/bin/sh\n[ ! -x /run/lab-gate/copy ] || exec /run/lab-gate/copy "$@"\nexec /usr/bin/nix-daemon "$@"\n' | put /usr/local/bin/nix-daemon`

const noGatekeeper = "umount -q $(readlink -f /run/current-system/systemd)/bin; rm -rf /run/lab-gate /run/wrappers /nix/var/nix/profiles/default /usr/local/bin/nix-daemon"

// stopAt has whatever comes to a point from now on wait there, and lets go what waits
// at another.
func (s *site) stopAt(p point) {
	s.t.Helper()
	when := "before"
	if p.after {
		when = "after"
	}
	s.must(s.host, fmt.Sprintf("%s\nrm -f /run/lab-gate/reached; echo '%s %s' >/run/lab-gate/new && mv /run/lab-gate/new /run/lab-gate/point", gatekeeper, when, p.call))
}

// arrived waits until so many have come to the point.
func (s *site) arrived(n int) {
	s.t.Helper()
	s.must(s.host, fmt.Sprintf(`for n in $(seq 600); do [ "$(cat /run/lab-gate/reached 2>/dev/null | wc -l)" -lt %d ] || exit 0; sleep 0.05; done
		cat /run/lab-gate/point; journalctl -b --no-pager -n 30; exit 1`, n))
}

// release lets go on what waits.
func (s *site) release() {
	s.t.Helper()
	s.must(s.host, "rm -f /run/lab-gate/point")
}

// heldAt is a deployment that has come to a point and waits there.
func (s *site) heldAt(name string) *deployment {
	s.t.Helper()
	s.stopAt(at(name))
	d := s.begin()
	s.arrived(1)
	return d
}

// site is a host of the campaign, with a checkout of the fleet of its own, so that
// cases run on several hosts at the same time.
type site struct {
	*machine
	host, dir string
}

// deployment is one that runs.
type deployment struct {
	s    *site
	dir  string
	done chan outcome
}

// begin deploys what the checkout wants.
func (s *site) begin() *deployment { return s.beginIn(s.dir) }

func (s *site) beginIn(dir string) *deployment {
	d := &deployment{s: s, dir: dir, done: make(chan outcome, 1)}
	here := machine{t: s.t, Lab: s.Lab} // the site is the next case's, if this one fails
	go func() {
		d.done <- here.run(fmt.Sprintf("cd %s && echo $$ >.git/controller && exec flotilla quickDeploy %s", dir, s.host))
	}()
	return d
}

// end waits for it.
func (d *deployment) end() outcome {
	d.s.t.Helper()
	o := <-d.done
	o.t = d.s.t
	return o
}

// kill ends its controller without a word.
func (d *deployment) kill() {
	d.s.t.Helper()
	d.s.must(lab.Control, "kill -KILL $(cat "+d.dir+"/.git/controller)")
	<-d.done
}

// deploy deploys what the checkout wants and waits for it.
func (s *site) deploy() outcome {
	s.t.Helper()
	return s.begin().end()
}

// here runs a command in the site's checkout.
func (s *site) here(line string) string {
	s.t.Helper()
	return s.must(lab.Control, "cd "+s.dir+" && "+line)
}

func (s *site) on(line string) string {
	s.t.Helper()
	return s.must(s.host, line)
}

// wants gives the checkout a configuration that the host does not run: one of two,
// which are built soon, or one with a module of the case's own.
func (s *site) wants(module string) {
	s.t.Helper()
	s.writeConfiguration(s.dir, s.other(), module)
}

func (s *site) other() string {
	s.t.Helper()
	if s.on("cat /etc/campaign 2>/dev/null || :") == "one" {
		return "two"
	}
	return "one"
}

func (s *site) writeConfiguration(dir, name, module string) {
	s.t.Helper()
	text := strings.NewReplacer("NAME", name, "MODULE", module).Replace(`{ lib, ... }: {
  imports = [ { MODULE } ];
  environment.etc.campaign.text = "NAME\n";
  system.activationScripts.labPoint = {
    deps = [ "etc" ];
    text = "echo at the point; [ ! -x /run/wrappers/bin/true ] || /run/wrappers/bin/true activating; echo past the point";
  };
}
`)
	s.must(lab.Control, "cd "+dir+" && cat >hosts/"+s.host+"/campaign.nix <<'END-OF-MODULE'\n"+text+"END-OF-MODULE")
}

// waits sets how long the host waits: for the end of an activation, and to be
// confirmed.
func (s *site) waits(timeout, confirm string) {
	s.t.Helper()
	s.here(fmt.Sprintf(`git checkout --quiet fleet.toml && printf '\n[activation]\ntimeout = "%s"\nconfirm = "%s"\n' >>fleet.toml`, timeout, confirm))
}
