package fleet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nixflotilla/flotilla/internal/proc"
	"github.com/nixflotilla/flotilla/internal/worktree"
	"github.com/nixflotilla/flotilla/nixcmd"
)

// In a flake of a hundred hosts a change to one costs one evaluation.
func TestRealHundredHosts(t *testing.T) {
	if _, err := proc.LookPath("nix"); err != nil || testing.Short() {
		t.Skip("needs a real Nix, and time")
	}
	dir := t.TempDir()
	s := &soak{t: t, checkout: checkout{dir: filepath.Join(dir, "repo")}, r: rand.New(rand.NewPCG(1, 1))}
	s.write("flake.nix", `{ outputs = { self }: { nixosConfigurations = builtins.mapAttrs (name: _: { config.system.build.toplevel = derivation {
  name = "nixos-system-${name}"; system = "x86_64-linux"; builder = "/bin/sh"; text = toString (import (./hosts + "/${name}")); }; }) (builtins.readDir ./hosts); }; }`)
	var hosts []Host
	for i := range 100 {
		h := fmt.Sprintf("h%02d", i)
		hosts = append(hosts, Host{Name: h, Attr: h})
		s.write("hosts/"+h+"/default.nix", "import ./value.nix")
		s.write("hosts/"+h+"/value.nix", "0")
	}
	s.must("git init -q -b main && git config user.name T && git config user.email t@example.org && git add -A && git commit -q -m 0")
	f, err := Open(Config{Dir: s.dir, StateDir: filepath.Join(dir, "state"), Dialer: noDialer{}})
	if err != nil {
		t.Fatal(err)
	}
	evaluated := func() (n int) {
		t.Helper()
		began := time.Now()
		r := f.run(t.Context(), hosts, func(ctx context.Context, j *job) (Outcome, error) {
			_, err := j.evaluate(ctx, false)
			return Evaluated, err
		})
		if err := r.Err(); err != nil {
			t.Fatal(err)
		}
		for _, res := range r.Results {
			if !res.Evaluation.Avoided {
				n++
			}
		}
		t.Logf("%d evaluations in %s", n, time.Since(began).Round(time.Millisecond))
		return n
	}
	if n := evaluated(); n != 100 {
		t.Errorf("first: %d evaluations", n)
	}
	s.write("hosts/h07/value.nix", "1")
	evaluated() // earns what follows
	s.write("hosts/h42/value.nix", "1")
	if n := evaluated(); n != 2 { // and h07, which has to earn it still
		t.Errorf("another host touched: %d evaluations", n)
	}
	s.write("hosts/h42/value.nix", "2")
	if n := evaluated(); n != 1 {
		t.Errorf("one host touched: %d evaluations", n)
	}
	if n := evaluated(); n != 0 {
		t.Errorf("nothing touched: %d evaluations", n)
	}
}

// The place of a source tree, its hash and its revision are what Nix says.
func TestRealPlaceAndMarks(t *testing.T) {
	if _, err := proc.LookPath("nix"); err != nil || testing.Short() {
		t.Skip("needs a real Nix")
	}
	s := &soak{t: t, checkout: checkout{dir: t.TempDir()}, r: rand.New(rand.NewPCG(1, 1))}
	for name, text := range map[string]string{"flake.nix": "{ outputs = { self }: { marks = \"${self} ${self.narHash} ${self.rev or self.dirtyRev} ${self.shortRev or self.dirtyShortRev}\"; }; }",
		"a.b": "1", "a/b": "", "a-c": "12345678", "a/z/y": strings.Repeat("x", 100000), "run": "#!/bin/sh"} {
		s.write(name, text)
	}
	s.must("chmod +x run && ln -s a/b link && git init -q && git config user.name T && git config user.email t@example.org && git add -A && git commit -q -m 0")
	same := func(what, flake string, tree *worktree.Tree) {
		t.Helper()
		contents, revision := tree.Marks(t.Context())
		res, err := proc.Run(t.Context(), proc.Cmd{Argv: []string{"nix", "--extra-experimental-features", "nix-command flakes", "eval", "--raw", flake + "#marks"}, Dir: s.dir})
		said := strings.Fields(string(res.Stdout))
		if err != nil || len(contents) != 2 || len(said) != 4 || !strings.Contains(said[0], "/"+contents[0]+"-") || !strings.Contains(said[1], contents[1]) ||
			len(revision) != 7 || !strings.HasPrefix(said[2], revision) || !strings.HasPrefix(said[3], revision) {
			t.Errorf("%s: marks %q and %q, Nix says %q (%v)", what, contents, revision, said, err)
		}
	}
	for _, change := range []string{"true", "echo dirty >>a.b", "rm a-c", "echo unseen >new"} {
		s.must(change)
		tree, err := worktree.Read(t.Context(), worktree.Options{Dir: s.dir})
		if err != nil {
			t.Fatal(err)
		}
		same("after "+change, ".", tree)
	}
	commit, err := nixcmd.New(nixcmd.Config{Dir: s.dir}).Commit(t.Context(), "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	tree, err := worktree.ReadCommit(t.Context(), s.dir, commit.ID)
	if err != nil {
		t.Fatal(err)
	}
	same("the commit", commit.FlakeRef(), tree)
}

// Another version of an input may use the revision or the hash of the flake that it is
// given, whatever hosts have earned before.
func TestRealInputsUseTheFlake(t *testing.T) {
	if _, err := proc.LookPath("nix"); err != nil || testing.Short() {
		t.Skip("needs a real Nix, and time")
	}
	for name, use := range map[string]string{
		"revision":          `self.rev or self.dirtyRev`,
		"revision if clean": `if self ? rev then self.rev else ""`,
		"whether it is":     `if self ? rev then "clean" else "dirty"`,
		"hash":              `self.narHash`,
		"hash in a file":    `"${builtins.toFile "a" "${builtins.toFile "b" self.narHash}"}"`,
		"nothing":           `""`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := &soak{t: t, checkout: checkout{dir: filepath.Join(dir, "repo")}, r: rand.New(rand.NewPCG(1, 1))}
			input := func(use string) {
				s.write("../input/flake.nix", "{ outputs = { self }: { text = { self }: "+use+"; }; }")
				s.must("nix --extra-experimental-features 'nix-command flakes' flake update 2>/dev/null")
			}
			s.write("flake.nix", `{ inputs.input.url = "path:`+dir+`/input"; outputs = { self, input }: {
  nixosConfigurations.h0.config.system.build.toplevel = derivation { name = "nixos-system-h0"; system = "x86_64-linux"; builder = "/bin/sh"; text = input.text { inherit self; }; }; }; }`)
			s.write("notes", "0")
			s.must("git init -q -b main && git config user.name T && git config user.email t@example.org && git add -A")
			input(`""`)
			f, err := Open(Config{Dir: s.dir, StateDir: filepath.Join(dir, "state"), Dialer: noDialer{}})
			if err != nil {
				t.Fatal(err)
			}
			host := Host{Name: "h0", Attr: "h0"}
			inst, err := installable("", host)
			if err != nil {
				t.Fatal(err)
			}
			// foretold is how many of ten edits were.
			foretold := func() (n int) {
				t.Helper()
				for i := range 10 {
					s.must([]string{"echo >>notes", "echo >>notes", "git add -A; git commit -q -m 1", "git commit -q --amend -m 2", "true"}[i%5])
					r := f.run(t.Context(), []Host{host}, func(ctx context.Context, j *job) (Outcome, error) {
						_, err := j.evaluate(ctx, false)
						return Evaluated, err
					})
					ev, err := f.nix.Evaluate(t.Context(), inst, nixcmd.EvaluateOptions{Fresh: true})
					if err := errors.Join(err, r.Err()); err != nil {
						t.Fatal(err)
					}
					got := r.Results[0]
					if got.Wanted != ev.Toplevel {
						t.Errorf("edit %d: %s, in truth %s; %s", i, got.Wanted, ev.Toplevel, got.Evaluation.Reason)
					}
					if got.Evaluation.Avoided {
						n++
					}
				}
				return n
			}
			if n := foretold(); n < 6 {
				t.Errorf("%d of 10 foretold of an input that uses nothing", n)
			}
			input(use)
			if n := foretold(); n < 6 && name == "nothing" {
				t.Errorf("%d of 10 foretold of another version of it", n)
			}
			input(`"" + ""`)
			if n := foretold(); n < 6 {
				t.Errorf("%d of 10 foretold once it uses nothing again", n)
			}
		})
	}
}

// A commit whose lock file is not up to date is evaluated without writing another into the
// work tree, and without remembering what came of inputs that nothing pins.
func TestRealCommitWithAStaleLock(t *testing.T) {
	if _, err := proc.LookPath("nix"); err != nil || testing.Short() {
		t.Skip("needs a real Nix")
	}
	dir := t.TempDir()
	s := &soak{t: t, checkout: checkout{dir: filepath.Join(dir, "repo")}, r: rand.New(rand.NewPCG(1, 1))}
	flake := func(inputs, text string) {
		s.write("flake.nix", `{ `+inputs+` outputs = { self, ... }@inputs: {
  nixosConfigurations.h0.config.system.build.toplevel = derivation { name = "nixos-system-h0"; system = "x86_64-linux"; builder = "/bin/sh"; text = `+text+`; }; }; }`)
	}
	s.write("../input/flake.nix", `{ outputs = { self }: { text = "1"; }; }`)
	s.write("../pinned/flake.nix", `{ outputs = { self }: { }; }`)
	pinned := `inputs.pinned.url = "path:` + dir + `/pinned";`
	flake(pinned, `"none"`)
	s.must("git init -q -b main && git config user.name T && git config user.email t@example.org && git add -A && " +
		"nix --extra-experimental-features 'nix-command flakes' flake lock 2>/dev/null && git add -A && git commit -q -m locked")
	flake(pinned+` inputs.input.url = "path:`+dir+`/input";`, "inputs.input.text")
	s.must("git commit -q -a -m stale && git branch stale && git reset -q --hard HEAD~1")
	commit, err := nixcmd.New(nixcmd.Config{Dir: s.dir}).Commit(t.Context(), "stale")
	if err != nil {
		t.Fatal(err)
	}
	f, err := Open(Config{Dir: s.dir, StateDir: filepath.Join(dir, "state"), Dialer: noDialer{}})
	if err != nil {
		t.Fatal(err)
	}
	host := Host{Name: "h0", Attr: "h0"}
	inst, err := installable(commit.FlakeRef(), host)
	if err != nil {
		t.Fatal(err)
	}
	before := nixcmd.Evaluation{}
	for _, text := range []string{"1", "2"} {
		s.write("../input/flake.nix", `{ outputs = { self }: { text = "`+text+`"; }; }`)
		seen := f.recollect(t.Context())
		then := seen.beside(commit.FlakeRef(), commit.ID)
		if known := then.ask(host); known.result != nil {
			t.Errorf("input %s: foretold %s", text, known.result.Derivation)
		}
		ev, err := f.nix.Evaluate(t.Context(), inst, nixcmd.EvaluateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if <-then.learn(host, ev); ev.Derivation == before.Derivation {
			t.Errorf("input %s: evaluated to the same", text)
		}
		before = ev
		seen.finish()
		s.must(`test -z "$(git status --porcelain)"`)
	}
}

// What is built while it is evaluated is not imported only: which files it has can
// depend on contents, too.
func TestRealBuiltWhileEvaluated(t *testing.T) {
	if _, err := proc.LookPath("nix"); err != nil || testing.Short() {
		t.Skip("needs a real Nix")
	}
	for name, use := range map[string]string{
		"listed":   "builtins.attrNames (builtins.readDir built)",
		"probed":   "if builtins.pathExists (built + \"/1\") then \"yes\" else \"no\"",
		"filtered": "\"${builtins.path { name = \"x\"; path = built; filter = p: t: builtins.baseNameOf p == \"1\"; }}\"",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := &soak{t: t, checkout: checkout{dir: filepath.Join(dir, "repo")}, r: rand.New(rand.NewPCG(1, 1))}
			s.write("flake.nix", `{ outputs = { self }: let built = derivation { name = "built"; system = "x86_64-linux"; builder = "/bin/sh"; PATH = "/usr/bin:/bin"; src = ./data;
  args = [ "-c" "mkdir $out; read x <$src/flag; echo >$out/$x" ]; }; in {
  nixosConfigurations.h0.config.system.build.toplevel = derivation { name = "nixos-system-h0"; system = "x86_64-linux"; builder = "/bin/sh"; text = `+use+`; }; }; }`)
			s.write("data/flag", "1\n")
			s.must("git init -q -b main && git config user.name T && git config user.email t@example.org && git add -A && git commit -q -m 0")
			f, err := Open(Config{Dir: s.dir, StateDir: filepath.Join(dir, "state"), Dialer: noDialer{}, Verify: true})
			if err != nil {
				t.Fatal(err)
			}
			for _, flag := range []string{"1\n", "1\na\n", "1\nb\n", "0\n", "0\nb\n", "1\n"} {
				s.write("data/flag", flag)
				r := f.run(t.Context(), []Host{{Name: "h0", Attr: "h0"}}, func(ctx context.Context, j *job) (Outcome, error) {
					_, err := j.evaluate(ctx, false)
					return Evaluated, err
				})
				if err := r.Err(); err != nil {
					t.Errorf("with %q: %v", flag, err)
				}
			}
		})
	}
}

// The names of the configurations can be those of what is built, too.
func TestRealBuiltNames(t *testing.T) {
	if _, err := proc.LookPath("nix"); err != nil || testing.Short() {
		t.Skip("needs a real Nix")
	}
	dir := t.TempDir()
	s := &soak{t: t, checkout: checkout{dir: filepath.Join(dir, "repo")}, r: rand.New(rand.NewPCG(1, 1))}
	s.write("flake.nix", `{ outputs = { self }: let built = derivation { name = "built"; system = "x86_64-linux"; builder = "/bin/sh"; PATH = "/usr/bin:/bin"; src = ./data;
  args = [ "-c" "mkdir $out; read x <$src/flag; echo >$out/h$x" ]; }; in { nixosConfigurations = builtins.readDir built; }; }`)
	s.write("data/flag", "1\n")
	s.must("git init -q -b main && git config user.name T && git config user.email t@example.org && git add -A && git commit -q -m 0")
	f, err := Open(Config{Dir: s.dir, StateDir: filepath.Join(dir, "state"), Dialer: noDialer{}, Verify: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, flag := range []string{"1\n", "1\na\n", "1\nb\n", "0\n", "0\nb\n", "1\n"} {
		s.write("data/flag", flag)
		names, err := f.configurations(t.Context())
		if want := "h" + flag[:1]; err != nil || len(names) != 1 || names[0] != want {
			t.Errorf("with %q: %v, not %s (%v)", flag, names, want, err)
		}
	}
}
