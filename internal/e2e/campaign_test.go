package e2e

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/nixflotilla/flotilla/internal/lab"
)

// fault is one case of the campaign.
type fault struct {
	name string
	// always is for the cases of every run; the others are for the whole campaign.
	always bool
	run    func(*site)
}

// TestFaults is the campaign: what can go wrong in a deployment, and what becomes of the
// host then. Every run has a choice of it, `mage faults N` all of it N times.
func TestFaults(t *testing.T) {
	m := inLab(t)
	m.deployed()
	rounds, _ := strconv.Atoi(os.Getenv("FLOTILLA_FAULTS"))
	only := regexp.MustCompile(os.Getenv("FLOTILLA_FAULTS_ONLY"))
	var queue []fault
	for n := range max(rounds, 1) {
		for _, f := range append(faults, atPoints()...) {
			if (rounds > 0 || f.always) && only.MatchString(f.name) {
				if rounds > 1 {
					f.name = fmt.Sprintf("round %d/%s", n+1, f.name)
				}
				queue = append(queue, f)
			}
		}
	}
	began := time.Now()
	next := make(chan fault, len(queue))
	for _, f := range queue {
		next <- f
	}
	close(next)
	var wg sync.WaitGroup
	for _, host := range lab.Hosts() {
		s := &site{machine: &machine{t: t, Lab: m.Lab}, host: host, dir: "/root/campaign-" + host}
		s.open()
		wg.Go(func() {
			usable := true
			for f := range next {
				t.Run(f.name, func(t *testing.T) {
					t.Logf("on %s", host)
					usable = false
					ok := t.Run("case", func(t *testing.T) { s.t = t; f.run(s) })
					s.t = t
					s.mend(ok)
					usable = true
				})
				if !usable {
					t.Errorf("%s could not be mended after %q", host, f.name)
					return
				}
			}
		})
		t.Cleanup(func() { s.t = t; s.close() })
	}
	wg.Wait()
	for f := range next {
		t.Errorf("no host is left for %q", f.name)
	}
	t.Logf("%d cases took %s", len(queue), time.Since(began).Round(time.Second))
}

// open makes the site's checkout and brings the host to one of its two
// configurations.
func (s *site) open() {
	s.t.Helper()
	s.must(lab.Control, fmt.Sprintf(`rm -rf %[1]s %[1]s-other && git clone --quiet . %[1]s && cd %[1]s &&
		sed -i 's|imports = \[|imports = [ ./campaign.nix|' hosts/%[2]s/default.nix && echo '{ }' >hosts/%[2]s/campaign.nix && git add . && git commit --quiet -m campaign`, s.dir, s.host))
	s.writeConfiguration(s.dir, "two", "")
	s.deploy().exits(0)
	s.writeConfiguration(s.dir, "one", "")
	s.deploy().exits(0)
}

func (s *site) close() {
	s.must(lab.Control, fmt.Sprintf("rm -rf %[1]s %[1]s-other", s.dir))
	s.must(s.host, noGatekeeper)
	s.run("flotilla quickDeploy " + s.host).exits(0)
}

// mend has the host ready for the next case; one that failed may have left anything.
func (s *site) mend(ok bool) {
	s.t.Helper()
	ctx := context.Background()
	if !ok {
		for what, err := range map[string]error{
			"link": s.Restore(ctx, s.host), "latency": s.Latency(ctx, s.host, 0), "loss": s.Loss(ctx, s.host, 0),
			"disk": s.FreeDisk(ctx, s.host), "power": s.PowerOff(ctx, s.host),
		} {
			s.fault(what, err)
		}
		s.powerOn(s.host)
	}
	s.on("rm -f /run/lab-gate/point")
	// What a case left for a controller that was killed is no concern of the next.
	s.on(`systemctl list-units --all --no-legend --plain 'flotilla-*.service' | while read -r unit load active sub rest; do
		case $unit/$sub in flotilla-lab*) ;; */exited) systemctl stop "$unit" ;; esac
		done`)
	s.here("git checkout --quiet fleet.toml")
	if now := s.systems(s.host); !ok || now.current != now.profile || now.current != now.boot {
		s.wants("")
		s.deploy().exits(0)
	}
}

// quiet wants nothing to go on on the host any more: no lock, no timer, nothing that
// runs or has failed. The exit status of what has ended well may be kept for its
// controller.
func (s *site) quiet() {
	s.t.Helper()
	s.unlocked(s.host)
	s.on(`for n in $(seq 100); do
		left=$(systemctl list-units --all --no-legend --plain 'flotilla-*' | grep -v 'flotilla-lab\|\.service.*active exited')
		[ -n "$left" ] || exit 0
		sleep 0.1
		done; echo "left: $left"; journalctl -b --no-pager -n 40; systemctl list-jobs; ps axfo pid,stat,etime,args | grep -v "\[.*\]$"; exit 1`)
}

// committed wants the host to run and boot the new system, and nothing to be left.
func (s *site) committed(before systems) {
	s.t.Helper()
	s.quiet()
	if s.settled(s.host) == before.current {
		s.t.Errorf("%s is not committed: %+v", s.host, before)
	}
	s.unmarked()
}

// back wants the host to be what it was, and nothing to be left.
func (s *site) back(before systems) {
	s.t.Helper()
	s.quiet()
	if now := s.systems(s.host); now != before {
		s.t.Errorf("%s changed: %+v, then %+v", s.host, before, now)
	}
	s.unmarked()
}

func (s *site) unmarked() {
	s.t.Helper()
	if marker := s.on("cat /nix/var/nix/flotilla-uncommitted 2>/dev/null || :"); marker != "" {
		s.t.Errorf("%s is marked as cut short: %s", s.host, marker)
	}
	s.on("[ ! -e /nix/var/nix/flotilla-uncommitted ]")
}

// forgetful removes what the host has to say of earlier cases.
func (s *site) forgetful() systems {
	s.t.Helper()
	s.on("rm -f /run/flotilla/report")
	return s.systems(s.host)
}

// byItself waits until the host has gone back without its controller.
func (s *site) byItself(before systems) {
	s.t.Helper()
	s.on("for n in $(seq 600); do [ ! -e /run/flotilla/report ] || exit 0; sleep 0.1; done; ls -lR /run/flotilla; journalctl -b --no-pager -n 40; exit 1")
	s.back(before)
	if report := s.on("cat /run/flotilla/report"); !strings.Contains(report, "restored/as restored") {
		s.t.Errorf("the host reports %s", report)
	}
}

// harmless wants nothing in the output that a terminal would act on.
func (o outcome) harmless() outcome {
	o.t.Helper()
	text := o.stdout + o.stderr
	if !utf8.ValidString(text) {
		o.t.Errorf("%s: not UTF-8: %q", o.line, text)
	}
	for _, r := range text {
		if r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 {
			o.t.Errorf("%s: %q in the output:\n%q", o.line, r, text)
			break
		}
	}
	return o
}

// atPoints are three faults at each point of a deployment: the host loses power, its
// controller is killed, its connections are cut off.
func atPoints() (all []fault) {
	for i, p := range points {
		power, killed, cut := powerCut(p), controllerKilled(p), cutOff(p)
		for j, f := range []*fault{&power, &killed, &cut} {
			f.always = i%3 == j
			all = append(all, *f)
		}
	}
	return all
}

// order is a point's place in a deployment.
func order(name string) int {
	for i, p := range points {
		if p.name == name {
			return i
		}
	}
	panic("no point " + name)
}

// big makes a copy of several MiB, so that it has a middle.
func (s *site) big(p point) string {
	if p.name != "copying" {
		return ""
	}
	return fmt.Sprintf(`lab.bigPackageMiB = 2; lab.salt = "%d";`, time.Now().UnixNano())
}

func powerCut(p point) fault {
	return fault{name: "power cut, " + p.name, run: func(s *site) {
		before := s.forgetful()
		s.waits("60s", "60s")
		s.wants(s.big(p))
		d := s.heldAt(p.name)
		s.fault("off", s.PowerOff(s.t.Context(), s.host))
		s.powerOn(s.host)
		d.end().exits(1).says(s.host + ": failed")
		s.quiet()
		now := s.systems(s.host)
		marked := s.on("cat /nix/var/nix/flotilla-uncommitted 2>/dev/null || :") != ""
		committed, profiled := order(p.name) >= order("boot entry made"), order(p.name) >= order("profile set")
		if now.current != now.boot || (now.boot == before.boot) == committed || (now.profile == before.profile) == profiled ||
			marked != (order(p.name) >= order("marker made") && order(p.name) < order("marker removed")) {
			s.t.Errorf("before %+v, then %+v, marked: %v", before, now, marked)
		}
		s.deploy().exits(0)
		s.committed(before)
	}}
}

func controllerKilled(p point) fault {
	return fault{name: "controller killed, " + p.name, run: func(s *site) {
		before := s.forgetful()
		committed := order(p.name) >= order("reached again")
		if committed {
			s.waits("60s", "60s")
		} else {
			s.waits("60s", "1s")
		}
		s.wants(s.big(p))
		d := s.heldAt(p.name)
		d.kill()
		s.release()
		switch {
		case committed:
			s.committed(before)
			s.deploy().exits(0).says(s.host + ": unchanged")
		case p.name == "copying":
			s.back(before)
			s.deploy().exits(0)
			s.committed(before)
		default:
			s.byItself(before)
			s.waits("60s", "60s")
			s.deploy().exits(0).says("was rolled back at ", "not confirmed within 1s")
			s.committed(before)
		}
	}}
}

func cutOff(p point) fault {
	return fault{name: "cut off, " + p.name, run: func(s *site) {
		before := s.forgetful()
		s.waits("60s", "60s")
		s.wants(s.big(p))
		d := s.heldAt(p.name)
		s.on("pkill -x sshd-session")
		s.release()
		d.end().exits(0).says("the connection dropped", "runs and boots")
		s.committed(before)
		s.clear(s.host)
	}}
}
