package e2e

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/internal/lab"
	"github.com/nixflotilla/flotilla/internal/proc"
)

// Verdicts of a run: the reason for each host that was evaluated.
func evaluated(t *testing.T, output string) map[string]string {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(output), "\n")
	var last struct {
		Report struct {
			Hosts []struct {
				Host       string
				OK         bool
				Evaluation *struct {
					Avoided bool
					Reason  string
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || len(last.Report.Hosts) != len(lab.Hosts()) {
		t.Fatalf("%v: %s", err, output)
	}
	why := map[string]string{}
	for _, h := range last.Report.Hosts {
		if !h.OK || h.Evaluation == nil || h.Evaluation.Reason == "" {
			t.Fatalf("%s: %+v", h.Host, h)
		}
		if !h.Evaluation.Avoided {
			why[h.Host] = h.Evaluation.Reason
		}
	}
	return why
}

// With real Nix, old and new: a change to one host's files costs the evaluation
// of that host, however the tree came to be as it is. Each prediction is held
// against an evaluation besides.
func TestOnlyWhatMayHaveChangedIsEvaluated(t *testing.T) {
	m := inLab(t)
	m.restoreAtEnd()
	head := m.must(lab.Control, "git rev-parse HEAD")
	t.Cleanup(func() { m.must(lab.Control, "git reset --quiet --hard "+head) })
	for _, c := range []struct {
		name string
		in   func(lab.ExecOptions) (proc.Result, error)
	}{
		{"Nix 2.26", func(o lab.ExecOptions) (proc.Result, error) { return m.Exec(t.Context(), o) }},
		{"Nix 2.34", func(o lab.ExecOptions) (proc.Result, error) { return m.Compat(t.Context(), o) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			sh := func(line string) string {
				t.Helper()
				res, err := c.in(lab.ExecOptions{Argv: []string{"/bin/sh", "-c", line}})
				if err != nil {
					t.Fatalf("%s: %v\n%s%s", line, err, res.Stdout, res.Stderr)
				}
				return string(res.Stdout)
			}
			// after makes a change and wants these hosts, and no others, evaluated.
			after := func(change, reason string, hosts ...string) {
				t.Helper()
				sh(change)
				why := evaluated(t, sh("flotilla testAllParallel -json"))
				if got := slices.Sorted(maps.Keys(why)); !slices.Equal(got, hosts) {
					t.Errorf("after %s: evaluated %v, want %v", change, why, hosts)
				}
				for host, r := range why {
					if !strings.Contains(r, reason) {
						t.Errorf("after %s: %s because %q, not of %q", change, host, r, reason)
					}
				}
				sh("FLOTILLA_VERIFY=1 flotilla testAllParallel -json")
			}
			all := slices.Sorted(slices.Values(lab.Hosts()))
			sh("git reset -q --hard " + head + " && rm -rf ~/.local/state/flotilla/evaluations ~/.cache/nix/eval-cache-*") // which would not say what was read
			after("true", "not evaluated before", all...)
			after("true", "")
			after("echo '# 1' >>hosts/razer/audio.nix", "hosts/razer/audio.nix changed", all...) // what they earn by that lasts
			after("echo '# 2' >>hosts/razer/audio.nix", "hosts/razer/audio.nix changed", "razer")
			after("echo '# 3' >>hosts/p510/network.nix", "hosts/p510/network.nix changed", "p510")
			after("git commit -qam one", "is not known yet", all...)
			after("echo '# 4' >>hosts/razer/audio.nix", "hosts/razer/audio.nix changed", "razer")
			after("echo '# 5' >>data/motd", "data/motd changed", all...)
			after("git checkout -q . && git mv modules/media/library.nix modules/media/lib.nix && sed -i s/library.nix/lib.nix/ modules/media/default.nix", "", all...)
			after("git reset -q --hard", "")
			after("rm ~/.local/state/flotilla/evaluations/*/hosts/host-p620", "not evaluated before", "p620")
		})
	}
}

// A derivation that is remembered and that the store has lost costs an evaluation,
// also if its file is still there: it is built all the same.
func TestLostDerivation(t *testing.T) {
	m := inLab(t)
	m.restoreAtEnd()
	m.set("razer", "environment.systemPackages = [ ];")
	m.run("flotilla testHost razer").exits(0)
	const lose = `top=$(flotilla buildAllParallel -on=razer 2>/dev/null | cut -d' ' -f2) && drv=$(nix-store -q --deriver $top) && cp $drv /tmp/lost.drv &&
		for l in ~/.local/state/flotilla/roots/*/razer; do if [ "$(readlink $l)" = $top ]; then rm $l; fi; done && nix-store --delete --ignore-liveness $top $drv >/dev/null`
	again := func(line string) {
		t.Helper()
		m.must(lab.Control, line)
		if o := m.run("flotilla testHost razer").exits(0).says("nothing it reads changed since", "its derivation is not in the store any more"); !strings.Contains(o.stdout, "razer: built") {
			t.Errorf("after %s: %s", line, o.stdout)
		}
	}
	again(lose)
	again(lose + " && cp /tmp/lost.drv $drv && rm /tmp/lost.drv")
	m.must(lab.Control, "nix-store --verify-path $(nix-store -q --deriver $(flotilla buildAllParallel -on=razer 2>/dev/null | cut -d' ' -f2))")
}

// Where nothing relevant has changed no process of Nix is started here, to deploy
// or to test, however many hosts there are and whether the tree is clean or not.
func TestNothingChangedStartsNoNix(t *testing.T) {
	m := inLab(t)
	m.deployed()
	m.must(lab.Control, `mkdir -p /tmp/counted && for p in nix nix-store nix-instantiate nix-daemon nix-env; do
		printf '#!/bin/sh\necho "$0 $*" >>/tmp/counted/log\nexec /usr/bin/%s "$@"\n' $p >/tmp/counted/$p && chmod +x /tmp/counted/$p; done`)
	t.Cleanup(func() { m.must(lab.Control, "rm -rf /tmp/counted") })
	const quick, test = "PATH=/tmp/counted:$PATH flotilla quickDeploy '*'", "PATH=/tmp/counted:$PATH flotilla testAllParallel"
	const affected = "PATH=/tmp/counted:$PATH flotilla affected HEAD"
	m.run("FLOTILLA_FRESH=1 " + quick).exits(0)
	if n := m.must(lab.Control, "wc -l </tmp/counted/log"); n == "0" {
		t.Error("the first run started no Nix either: nothing is counted")
	}
	m.must(lab.Control, "echo '# x' >>hosts/installer/default.nix")
	m.run(quick).exits(0) // earns what follows
	m.run(test).exits(0)
	m.run(affected).exits(0)
	m.must(lab.Control, "echo '# y' >>README.md; echo '# y' >>hosts/installer/default.nix; git add -A; rm /tmp/counted/log; touch hosts/installer/new.conf")
	o := m.run(quick).exits(0).says("nothing it reads changed since", "the flake does not see hosts/installer/new.conf, which Git does not track")
	m.must(lab.Control, "rm hosts/installer/new.conf")
	for _, h := range lab.Hosts() {
		o.row(h, "unchanged")
	}
	m.run(test).exits(0).says("was built before")
	m.run(affected).exits(0).says("not affected: nothing it reads changed")
	if log := m.must(lab.Control, "cat /tmp/counted/log || true"); log != "" {
		t.Errorf("processes were started:\n%s\n%s", log, o.stderr)
	}
}
