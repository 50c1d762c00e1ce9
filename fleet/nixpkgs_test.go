package fleet

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nixflotilla/flotilla/internal/proc"
	"github.com/nixflotilla/flotilla/nixcmd"
)

// TestRealNixpkgs measures evaluations of four NixOS hosts, avoided and not,
// against the same by Nix alone, in turn. FLOTILLA_TEST_NIXPKGS names a Git
// repository of nixpkgs; FLOTILLA_TEST_ROUNDS says how often. It also holds the
// predictions against Nix's answers.
func TestRealNixpkgs(t *testing.T) {
	nixpkgs := os.Getenv("FLOTILLA_TEST_NIXPKGS")
	if nixpkgs == "" {
		t.Skip("FLOTILLA_TEST_NIXPKGS names no repository of nixpkgs")
	}
	rounds := 3
	fmt.Sscan(os.Getenv("FLOTILLA_TEST_ROUNDS"), &rounds)
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	sh := func(line string) string {
		t.Helper()
		res, err := proc.Run(t.Context(), proc.Cmd{Argv: []string{"/bin/sh", "-c", line}, Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(res.Stdout))
	}
	hosts := []Host{{Name: "p620", Attr: "p620"}, {Name: "razer", Attr: "razer"}, {Name: "p510", Attr: "p510"}, {Name: "dex5550", Attr: "dex5550"}}
	list := ""
	for _, h := range hosts {
		list += fmt.Sprintf("%s = host ./hosts/%[1]s;\n", h.Name)
		write("hosts/"+h.Name+"/default.nix", fmt.Sprintf("{ ... }: { networking.hostName = %q; imports = [ ./extra.nix ]; }", h.Name))
		write("hosts/"+h.Name+"/extra.nix", "{ ... }: { environment.etc.extra.text = \"0\"; }")
	}
	write("flake.nix", fmt.Sprintf(`{
  inputs.nixpkgs.url = "git+file://%s";
  outputs = { self, nixpkgs }: let
    host = dir: nixpkgs.lib.nixosSystem { system = "x86_64-linux"; modules = [ ./common.nix dir ]; };
  in { nixosConfigurations = { %s }; };
}`, nixpkgs, list))
	// The last two lines are what a cut-down nixpkgs may lack.
	write("common.nix", `{ lib, options, ... }: {
  boot.loader.grub.enable = false;
  fileSystems."/" = { device = "/dev/sda1"; fsType = "ext4"; };
  services.openssh.enable = true;
  system.stateVersion = "26.05";
  documentation.enable = false;
  nixpkgs.overlays = [ (final: prev: { shellcheck-minimal = final.hello // { compiler.bootstrapAvailable = false; }; }) ];
  imports = [ ({ lib, ... }: { options.virtualisation.hypervGuest.enable = lib.mkEnableOption "nothing"; }) ];
}`)
	write("README.md", "a fleet")
	const flags = "nix --extra-experimental-features 'nix-command flakes' "
	sh("git init -q && git config user.name T && git config user.email t@example.org && git add -A && " + flags + "flake lock && git add -A && git commit -q -m x")

	f, err := Open(Config{Dir: dir, StateDir: filepath.Join(t.TempDir(), "state"), Dialer: noDialer{}})
	if err != nil {
		t.Fatal(err)
	}
	// ours evaluates hosts as every target does, and says which were.
	var why []string
	ours := func(hosts []Host) (took time.Duration, evaluated int) {
		t.Helper()
		why = nil
		began := time.Now()
		r := f.run(t.Context(), hosts, func(ctx context.Context, j *job) (Outcome, error) {
			_, err := j.evaluate(ctx, false)
			return Evaluated, err
		})
		took = time.Since(began)
		for _, res := range r.Results {
			if res.Err != nil {
				t.Fatal(res.Err)
			}
			if !res.Evaluation.Avoided {
				evaluated++
				why = append(why, res.Host.Name+": "+res.Evaluation.Reason)
			}
		}
		return took, evaluated
	}
	want := func(got, evaluated int, what string) {
		t.Helper()
		if got != evaluated {
			t.Errorf("%s: %d evaluations, want %d: %v", what, got, evaluated, why)
		}
	}
	// nix is what the guide's recipes run: one process a host, all at once.
	nix := func(hosts []Host) time.Duration {
		t.Helper()
		line := ""
		for _, h := range hosts {
			line += flags + "build --dry-run --no-link .#nixosConfigurations." + h.Name + ".config.system.build.toplevel 2>/dev/null & "
		}
		began := time.Now()
		sh(line + "wait")
		return time.Since(began)
	}
	touch := func(file string, n int) {
		write(file, fmt.Sprintf("{ ... }: { environment.etc.extra.text = \"%d\"; }", n))
	}

	nix(hosts[:1]) // nixpkgs to the store
	n := 0
	cold, evaluated := ours(hosts)
	want(evaluated, 4, "cold")
	t.Logf("cold: four hosts %s", cold)
	for range 2 { // earn what follows: a dirty tree, its commit, and another
		n++
		touch("hosts/razer/extra.nix", n)
		ours(hosts)
		write("README.md", fmt.Sprint("a fleet ", n))
		ours(hosts)
		sh("git commit -q -a -m x")
		ours(hosts)
	}

	figures := map[string][]time.Duration{}
	note := func(what string, took time.Duration) { figures[what] = append(figures[what], took) }
	for range rounds {
		n++
		write("README.md", fmt.Sprint("a fleet ", n))
		took, evaluated := ours(hosts[:1])
		want(evaluated, 0, "irrelevant edit")
		note("1 irrelevant edit, one host, ours", took)
		note("1 irrelevant edit, one host, nix build --dry-run", nix(hosts[:1]))

		took, evaluated = ours(hosts)
		want(evaluated, 0, "nothing touched")
		note("2 nothing touched, four hosts, ours", took)

		touch("hosts/razer/extra.nix", n)
		sh("git commit -q -a -m x")
		began := time.Now()
		inst, err := installable("", hosts[1])
		if err != nil {
			t.Fatal(err)
		}
		if _, err = f.nix.Evaluate(t.Context(), inst, nixcmd.EvaluateOptions{Fresh: true}); err != nil {
			t.Fatal(err)
		}
		note("3 one evaluation", time.Since(began))
		took, evaluated = ours(hosts)
		want(evaluated, 1, "one of four touched by a commit")
		note("3 one of four touched by a commit, ours", took)
		note("3 one of four touched by a commit, nix build --dry-run", nix(hosts))
	}
	for _, what := range slices.Sorted(maps.Keys(figures)) {
		all := figures[what]
		slices.Sort(all)
		t.Logf("%s: %s (%s to %s)", what, all[len(all)/2].Round(time.Millisecond), all[0].Round(time.Millisecond), all[len(all)-1].Round(time.Millisecond))
	}
	f.verify = true
	ours(hosts)
}
