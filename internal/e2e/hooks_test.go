package e2e

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/nixflotilla/flotilla/internal/lab"
	"github.com/nixflotilla/flotilla/internal/proc"
)

// affected answers by what Nix evaluates: a host's own file is of that host, a
// role's of those that have it, and one that no host reads of none.
func TestAffected(t *testing.T) {
	m := inLab(t)
	m.restoreAtEnd()
	want := func(line string, hosts ...string) outcome {
		t.Helper()
		o := m.run(line).exits(0)
		if got := strings.Fields(o.stdout); !slices.Equal(got, hosts) {
			t.Errorf("%s: %v, want %v\n%s", line, got, hosts, o.stderr)
		}
		return o
	}
	want("flotilla affected HEAD")
	m.must(lab.Control, `sed -i 's/RATE = "48000"/RATE = "96000"/' hosts/razer/audio.nix && echo >>README.md`)
	want("flotilla affected HEAD", "razer").says("affected: hosts/razer/audio.nix changed", "not affected: nothing it reads changed")
	m.must(lab.Control, "echo '# nothing' >>modules/base/motd.nix")
	want("flotilla affected HEAD", "razer").says("not affected: its derivation is the same, though modules/base/motd.nix changed")
	m.must(lab.Control, `echo more >>data/motd`)
	want("flotilla affected HEAD -on='!razer'", "p620", "p510", "dex5550")
	// Committed, and the work tree as it was: now the range has it.
	m.must(lab.Control, `git commit -qam affected && git tag affected && git reset -q --hard HEAD~1`)
	t.Cleanup(func() { m.must(lab.Control, "git tag -d affected") })
	want("flotilla affected HEAD..affected", lab.Hosts()...)
	want("flotilla affected affected..affected")
	m.set("p510", "lab.throw = \"now\";")
	if o := m.run("flotilla affected HEAD").exits(3).says("p510: evaluate failed", "now"); strings.TrimSpace(o.stdout) != "p510" {
		t.Errorf("answer %q", o.stdout)
	}
}

// A real `git commit` with the hook, on both Nix versions: refused for what is
// wrong with what is committed, and for nothing else.
func TestPreCommitHook(t *testing.T) {
	m := inLab(t)
	m.restoreAtEnd()
	for name, in := range map[string]func(context.Context, lab.ExecOptions) (proc.Result, error){"Nix 2.26": m.Exec, "Nix 2.34": m.Compat} {
		t.Run(name, func(t *testing.T) {
			run := func(line string) outcome {
				t.Helper()
				res, err := in(context.WithoutCancel(t.Context()), lab.ExecOptions{Argv: []string{"/bin/sh", "-c",
					"cd /tmp/hooked && module() { sed -i \"s|imports = \\[|imports = [ { $2 }|\" hosts/$1/default.nix; } && " + line}})
				if err != nil && res.Code < 0 {
					t.Fatal(err)
				}
				return outcome{t: t, line: line, code: res.Code, stdout: string(res.Stdout), stderr: string(res.Stderr)}
			}
			if _, err := in(context.WithoutCancel(t.Context()), lab.ExecOptions{Argv: []string{"/bin/sh", "-c",
				"git reset -q --hard && cp -r . /tmp/hooked && cd /tmp/hooked && rm -r .git && git init -q && git config user.name test && git config user.email test@localhost && flotilla installHooks"}}); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { run("rm -r /tmp/hooked").exits(0) })

			run("git add . && git commit -qm first").exits(0).says("affected: it is new", "4 hosts: 4 built")
			run("sed -i '1a ;' hosts/razer/audio.nix && git commit -qam syntax").exits(1).says("hosts/razer/audio.nix:2:1: syntax error")
			run(`git reset -q --hard; module p510 'lab.throw = "no such disk";' && git commit -qam throws`).exits(1).
				says("p510: evaluate failed", "no such disk")
			run("git reset -q --hard; module p510 'lab.failBuild = true;' && git commit -qam fails").exits(1).
				says("p510: build failed")
			run("git log --oneline -1 && git status --short").exits(0).says("hosts/p510/default.nix")

			// That p510 cannot be built any more is not the fault of the next commit,
			// nor is what is not part of it.
			run("git commit -q --no-verify -am fails").exits(0)
			o := run(`sed -i 's/RATE = "48000"/RATE = "96000"/' hosts/razer/audio.nix && git add -u && echo ';' >>flake.nix && git commit -qm rate`).exits(0)
			o.says("not affected: nothing it reads changed", "affected: hosts/razer/audio.nix changed", "4 hosts: ")
			if strings.Contains(o.stderr, "p510    │ build") || !strings.Contains(o.stderr, "razer   │ build") {
				t.Errorf("not razer alone was built:\n%s", o.stderr)
			}
			// The work tree has the same as that commit, and the index what is broken.
			run("git add flake.nix && git checkout -q HEAD~1 -- hosts/razer/audio.nix && git reset -q hosts/razer/audio.nix && git show HEAD:flake.nix >flake.nix && git commit -qm flake").
				exits(1).says("flake.nix:", "syntax error")
		})
	}
}
