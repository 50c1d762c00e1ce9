package fleet

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/nixflotilla/flotilla/internal/proc"
	"github.com/nixflotilla/flotilla/nixcmd"
)

// nixpkgsFleet is a flake of four NixOS hosts with the real nixpkgs.
type nixpkgsFleet struct {
	t     *testing.T
	dir   string
	fleet *Fleet
	hosts []Host
	// why says of the hosts that were evaluated last why they were.
	why     []string
	figures map[string][]time.Duration
	ratios  map[string][]float64
}

// newNixpkgsFleet makes the flake. FLOTILLA_TEST_NIXPKGS names a Git repository of
// nixpkgs. The toplevels are those of NixOS, or with texts, since nothing of NixOS
// can be built without its sources, derivations that need nothing else but cannot
// be had without evaluating all of it.
func newNixpkgsFleet(t *testing.T, texts bool) *nixpkgsFleet {
	nixpkgs := os.Getenv("FLOTILLA_TEST_NIXPKGS")
	if nixpkgs == "" {
		t.Skip("FLOTILLA_TEST_NIXPKGS names no repository of nixpkgs")
	}
	n := &nixpkgsFleet{t: t, dir: t.TempDir(), figures: map[string][]time.Duration{}, ratios: map[string][]float64{}}
	list := ""
	for _, name := range []string{"p620", "razer", "p510", "dex5550"} {
		n.hosts = append(n.hosts, Host{Name: name, Attr: name})
		list += fmt.Sprintf("%s = host ./hosts/%[1]s;\n", name)
		n.write("hosts/"+name+"/default.nix", fmt.Sprintf("{ ... }: { networking.hostName = %q; imports = [ ./extra.nix ]; }", name))
		n.touch(name, 0)
	}
	toplevel := "system"
	if texts {
		toplevel = `{ config.system.build.toplevel = derivation {
      name = "nixos-system-${system.config.networking.hostName}-text"; system = "x86_64-linux"; builder = "/bin/sh";
      args = [ "-c" "echo ${builtins.seq system.config.system.build.toplevel.drvPath system.config.environment.etc.extra.text} >$out" ];
    }; }`
	}
	n.write("flake.nix", fmt.Sprintf(`{
  inputs.nixpkgs.url = "git+file://%s";
  outputs = { self, nixpkgs }: let
    host = dir: let system = nixpkgs.lib.nixosSystem { system = "x86_64-linux"; modules = [ ./common.nix dir ]; }; in %s;
  in { nixosConfigurations = { %s }; };
}`, nixpkgs, toplevel, list))
	// The last two lines are what a cut-down nixpkgs may lack.
	n.write("common.nix", `{ lib, options, ... }: {
  boot.loader.grub.enable = false;
  fileSystems."/" = { device = "/dev/sda1"; fsType = "ext4"; };
  services.openssh.enable = true;
  system.stateVersion = "26.05";
  documentation.enable = false;
  nixpkgs.overlays = [ (final: prev: { shellcheck-minimal = final.hello // { compiler.bootstrapAvailable = false; }; }) ];
  imports = [ ./services.nix ({ lib, ... }: { options.virtualisation.hypervGuest.enable = lib.mkEnableOption "nothing"; }) ];
}`)
	n.write("services.nix", services())
	n.write("README.md", "a fleet")
	n.sh("git init -q && git config user.name T && git config user.email t@example.org && git add -A && " + nixFlags + "flake lock && git add -A && git commit -q -m x")
	n.open()
	n.recipe(n.hosts[:1]) // nixpkgs to the store
	return n
}

// services are what the hosts run besides sshd: nothing, or with FLOTILLA_TEST_LARGE
// what a workstation may, as far as a cut-down nixpkgs has it. Such a host takes three
// times as long.
func services() string {
	if !large() {
		return "{ }"
	}
	return `{ pkgs, ... }: {
  services.pipewire = { enable = true; alsa.enable = true; pulse.enable = true; };
  virtualisation = { docker.enable = true; podman.enable = true; };
  networking.networkmanager.enable = true;
  services.tailscale.enable = true;
  services.samba.enable = true;
  services.syncthing.enable = true;
  services.avahi.enable = true;
  services.unbound.enable = true;
  services.greetd.enable = true;
  services.blueman.enable = true;
  services.ollama.enable = true;
  services.mosquitto.enable = true;
  programs.steam.enable = true;
  programs.zsh.enable = true;
  programs.neovim.enable = true;
  hardware.bluetooth.enable = true;
  environment.systemPackages = with pkgs; [ git vim htop tmux ripgrep ];
  nixpkgs.config.allowUnfree = true;
}`
}

func large() bool { return os.Getenv("FLOTILLA_TEST_LARGE") != "" }

const nixFlags = "nix --extra-experimental-features 'nix-command flakes' "

// open opens the fleet with nothing known of it.
func (n *nixpkgsFleet) open() {
	n.t.Helper()
	var err error
	if n.fleet, err = Open(Config{Dir: n.dir, StateDir: filepath.Join(n.t.TempDir(), "state"), Dialer: noDialer{}}); err != nil {
		n.t.Fatal(err)
	}
}

func (n *nixpkgsFleet) write(name, text string) {
	n.t.Helper()
	file := filepath.Join(n.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		n.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		n.t.Fatal(err)
	}
}

// touch changes what one host alone imports.
func (n *nixpkgsFleet) touch(host string, to int) {
	n.t.Helper()
	n.write("hosts/"+host+"/extra.nix", fmt.Sprintf("{ ... }: { environment.etc.extra.text = \"%d\"; }", to))
}

func (n *nixpkgsFleet) sh(line string) time.Duration {
	n.t.Helper()
	began := time.Now()
	if _, err := proc.Run(n.t.Context(), proc.Cmd{Argv: []string{"/bin/sh", "-c", line}, Dir: n.dir}); err != nil {
		n.t.Fatal(err)
	}
	return time.Since(began)
}

// ours does what targets do, and says how many hosts were evaluated.
func (n *nixpkgsFleet) ours(do func() *Report) (took time.Duration, evaluated int) {
	n.t.Helper()
	n.why = nil
	began := time.Now()
	r := do()
	took = time.Since(began)
	for _, res := range r.Results {
		if res.Err != nil {
			n.t.Fatal(res.Err)
		}
		if !res.Evaluation.Avoided {
			evaluated++
			n.why = append(n.why, res.Host.Name+": "+res.Evaluation.Reason)
		}
	}
	return took, evaluated
}

// evaluate is the part of every target that evaluates.
func (n *nixpkgsFleet) evaluate(hosts []Host) (time.Duration, int) {
	n.t.Helper()
	return n.ours(func() *Report {
		return n.fleet.run(n.t.Context(), hosts, func(ctx context.Context, j *job) (Outcome, error) {
			_, err := j.evaluate(ctx, false)
			return Evaluated, err
		})
	})
}

// test is testAllParallel.
func (n *nixpkgsFleet) test() (time.Duration, int) {
	n.t.Helper()
	return n.ours(func() *Report { return n.fleet.Test(n.t.Context(), n.hosts, TestOptions{}) })
}

func (n *nixpkgsFleet) want(got, evaluated int, what string) {
	n.t.Helper()
	if got != evaluated {
		n.t.Errorf("%s: %d evaluations, want %d: %v", what, got, evaluated, n.why)
	}
}

// attribute is a host's toplevel, for a shell.
func attribute(host string) string {
	return " .#nixosConfigurations." + host + ".config.system.build.toplevel"
}

// recipe is what the guide's recipes run: one process a host, all at once.
func (n *nixpkgsFleet) recipe(hosts []Host) time.Duration {
	n.t.Helper()
	line := ""
	for _, h := range hosts {
		line += nixFlags + "build --dry-run --no-link" + attribute(h.Name) + " 2>/dev/null & "
	}
	return n.sh(line + "wait")
}

// earn sees to it that what follows may be foretold: a dirty tree, its commit,
// and another.
func (n *nixpkgsFleet) earn(all func() (time.Duration, int)) {
	for i := range 2 {
		n.touch("razer", i+1)
		all()
		n.write("README.md", fmt.Sprint("a fleet ", i+1))
		all()
		n.sh("git commit -q -a -m x")
		all()
	}
}

func (n *nixpkgsFleet) note(what string, took time.Duration) {
	n.figures[what] = append(n.figures[what], took)
}

// compare notes a ratio of two that took turns.
func (n *nixpkgsFleet) compare(what string, ours, other time.Duration) {
	n.ratios[what] = append(n.ratios[what], float64(ours)/float64(other))
}

// tell tells medians, and the smallest and largest.
func (n *nixpkgsFleet) tell() {
	for _, what := range slices.Sorted(maps.Keys(n.figures)) {
		all := slices.Sorted(slices.Values(n.figures[what]))
		n.t.Logf("%s: %s (%s to %s)", what, middle(all).Round(time.Millisecond), all[0].Round(time.Millisecond), all[len(all)-1].Round(time.Millisecond))
	}
	for _, what := range slices.Sorted(maps.Keys(n.ratios)) {
		all := slices.Sorted(slices.Values(n.ratios[what]))
		n.t.Logf("%s: %.2f times (%.2f to %.2f)", what, middle(all), all[0], all[len(all)-1])
	}
}

// middle is the median of what is sorted.
func middle[T time.Duration | float64](all []T) T { return (all[(len(all)-1)/2] + all[len(all)/2]) / 2 }

// testRounds is how often FLOTILLA_TEST_ROUNDS wants everything measured.
func testRounds() int {
	rounds := 3
	fmt.Sscan(os.Getenv("FLOTILLA_TEST_ROUNDS"), &rounds)
	return rounds
}

// TestRealNixpkgs measures evaluations of four NixOS hosts, avoided and not,
// against the same by Nix alone, in turn. It also holds the predictions against
// Nix's answers.
func TestRealNixpkgs(t *testing.T) {
	n := newNixpkgsFleet(t, false)
	hosts := n.hosts
	cold, evaluated := n.evaluate(hosts)
	n.want(evaluated, 4, "cold")
	t.Logf("cold: four hosts %s", cold)
	n.earn(func() (time.Duration, int) { return n.evaluate(hosts) })

	for i := range testRounds() {
		n.write("README.md", fmt.Sprint("a fleet, round ", i))
		took, evaluated := n.evaluate(hosts[:1])
		n.want(evaluated, 0, "irrelevant edit")
		n.note("1 irrelevant edit, one host, ours", took)
		n.note("1 irrelevant edit, one host, nix build --dry-run", n.recipe(hosts[:1]))

		took, evaluated = n.evaluate(hosts)
		n.want(evaluated, 0, "nothing touched")
		n.note("2 nothing touched, four hosts, ours", took)

		n.touch("razer", 100+i)
		n.sh("git commit -q -a -m x")
		began := time.Now()
		inst, err := installable("", hosts[1])
		if err != nil {
			t.Fatal(err)
		}
		if _, err = n.fleet.nix.Evaluate(t.Context(), inst, nixcmd.EvaluateOptions{Fresh: true}); err != nil {
			t.Fatal(err)
		}
		one := time.Since(began)
		n.note("3 one evaluation", one)
		took, evaluated = n.evaluate(hosts)
		n.want(evaluated, 1, "one of four touched by a commit")
		n.note("3 one of four touched by a commit, ours", took)
		n.compare("3 one of four touched by a commit, against one evaluation", took, one)
		n.note("3 one of four touched by a commit, nix build --dry-run", n.recipe(hosts))
	}
	n.tell()
	n.fleet.verify = true
	n.evaluate(hosts)
}

// childrenTime is the processor time of processes that this one has waited for; that
// of a daemon is not in it.
func childrenTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// way is one of several to have all hosts, with nothing known of them.
type way struct {
	name string
	run  func() time.Duration
}

// forget removes Nix's evaluation cache.
func (n *nixpkgsFleet) forget() {
	n.t.Helper()
	home, err := os.UserCacheDir()
	if err != nil {
		n.t.Fatal(err)
	}
	caches, err := filepath.Glob(filepath.Join(home, "nix", "eval-cache-v*"))
	if err != nil {
		n.t.Fatal(err)
	}
	for _, dir := range caches {
		if err := os.RemoveAll(dir); err != nil {
			n.t.Fatal(err)
		}
	}
}

// cold runs a way with nothing known to Nix's evaluation cache.
func (n *nixpkgsFleet) cold(w way) (took, busy time.Duration) {
	n.t.Helper()
	n.forget()
	before := childrenTime(n.t)
	took = w.run()
	busy = childrenTime(n.t) - before
	n.t.Logf("%s: %s, of processor time %s", w.name, took.Round(time.Millisecond), busy.Round(time.Millisecond))
	n.note("1 all, cold: "+w.name, took)
	n.note("1 all, cold, processor time: "+w.name, busy)
	return took, busy
}

// against compares the first of several ways with the others.
func (n *nixpkgsFleet) against(ways []way, took, busy []time.Duration) {
	for k := 1; k < len(ways); k++ {
		n.compare("1 all, cold: "+ways[0].name+" against "+ways[k].name, took[0], took[k])
		n.compare("1 all, cold, processor time: "+ways[0].name+" against "+ways[k].name, busy[0], busy[k])
	}
}

// ourWay is testAllParallel, with nothing known to us.
func (n *nixpkgsFleet) ourWay() way {
	return way{"testAllParallel", func() time.Duration {
		n.open()
		took, evaluated := n.test()
		n.want(evaluated, 4, "cold")
		return took
	}}
}

const byHand = nixFlags + "build --no-link"

// With Nix's evaluation cache, processes wait for each other up to Nix 2.30.
const byHandAlone = byHand + " --no-eval-cache"

// heaps are as much as one and two hosts fill without a search for garbage, and not more.
func heaps() (one, two string) {
	if large() {
		return "2G", "3G"
	}
	return "1G", "2G"
}

// bestWay is what has turned out to be the fastest by hand.
func (n *nixpkgsFleet) bestWay() way {
	a, b, c, d := attribute("p620"), attribute("razer"), attribute("p510"), attribute("dex5550")
	_, two := heaps()
	return way{"two nix build of two, large heaps, no cache", func() time.Duration {
		return n.sh("export GC_INITIAL_HEAP_SIZE=" + two + "; " + byHandAlone + a + b + " & " + byHandAlone + c + d + "; wait")
	}}
}

// TestRealNixpkgsCold measures testAllParallel of four NixOS hosts with nothing known,
// neither to us nor to Nix's evaluation cache, against the best that can be done by hand
// on the same cores, one right after the other, since machines are faster at times.
func TestRealNixpkgsCold(t *testing.T) {
	n := newNixpkgsFleet(t, true)
	ways := []way{n.ourWay(), n.bestWay()}
	for i := range testRounds() {
		var took, busy [2]time.Duration
		for k := range ways {
			k = (k + i) % 2
			took[k], busy[k] = n.cold(ways[k])
		}
		n.against(ways, took[:], busy[:])
	}
	n.tell()
}

// TestRealNixpkgsWatched measures an evaluation of a NixOS host that is watched for what it opens, against one that is
// not, after an edit each.
func TestRealNixpkgsWatched(t *testing.T) {
	n := newNixpkgsFleet(t, true)
	razer := n.hosts[1:2]
	for i := range testRounds() + 1 {
		var took [2]time.Duration
		for k := range took {
			k = (k + i) % 2
			n.fleet.watch = []watching{watchAll, watchNone}[k]
			n.touch("razer", 10*i+k+1)
			var evaluated int
			took[k], evaluated = n.evaluate(razer)
			n.want(evaluated, 1, "an edit")
		}
		if i == 0 { // which may be the first that Nix hears of the flake
			continue
		}
		n.note("watched", took[0])
		n.note("not watched", took[1])
		n.compare("watched against not", took[0], took[1])
	}
	n.tell()
}

// TestRealNixpkgsWhole measures all of testAllParallel with four NixOS hosts,
// against what people could run by hand on the same cores, in turn: of all hosts
// with nothing known, neither to us nor to Nix's evaluation cache, and after a
// commit that touches one.
func TestRealNixpkgsWhole(t *testing.T) {
	n := newNixpkgsFleet(t, true)
	a, b, c, d := attribute("p620"), attribute("razer"), attribute("p510"), attribute("dex5550")
	one, _ := heaps()
	twoAtATime := "printf '%s\n'" + a + b + c + d + " | xargs -P2 -n1 "
	ways := []way{
		n.ourWay(),
		{"nix build of four", func() time.Duration { return n.sh(byHand + a + b + c + d) }},
		n.bestWay(),
		{"four nix build, two at a time", func() time.Duration { return n.sh(twoAtATime + byHand) }},
		{"four nix build, two at a time, no cache", func() time.Duration { return n.sh(twoAtATime + byHandAlone) }},
		{"four nix build, two at a time, large heaps, no cache", func() time.Duration {
			return n.sh("export GC_INITIAL_HEAP_SIZE=" + one + "; " + twoAtATime + byHandAlone)
		}},
		{"nix eval of four", func() time.Duration {
			return n.sh(nixFlags + "eval --json .#nixosConfigurations --apply 'builtins.mapAttrs (_: c: c.config.system.build.toplevel.drvPath)'")
		}},
	}
	for i := range testRounds() {
		took, busy := make([]time.Duration, len(ways)), make([]time.Duration, len(ways))
		for k := range ways {
			k = (k + i) % len(ways)
			took[k], busy[k] = n.cold(ways[k])
		}
		n.against(ways, took, busy)
	}
	n.earn(n.test)
	for i := range testRounds() {
		n.touch("razer", 100+i)
		n.sh("git commit -q -a -m x")
		var ours, nixEval time.Duration
		for k := range 2 {
			if (k+i)%2 == 0 {
				n.forget()
				var evaluated int
				ours, evaluated = n.test()
				n.want(evaluated, 1, "one of four touched by a commit")
			} else {
				nixEval = n.sh(nixFlags + "eval --raw" + attribute("razer") + ".drvPath")
			}
		}
		n.note("2 one of four touched by a commit: testAllParallel", ours)
		n.note("2 one of four touched by a commit: nix eval of that one", nixEval)
		n.compare("2 one of four touched by a commit: testAllParallel against nix eval of that one", ours, nixEval)
	}
	n.tell()
}
