package fleet

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/nixflotilla/flotilla/internal/proc"
	"github.com/nixflotilla/flotilla/nixcmd"
)

// gitNix evaluates a repository with a file for each host, whose contents are all
// that its derivation depends on; one whose file says "broken" does not evaluate.
type gitNix struct {
	Nix
	dir         string
	evaluations atomic.Int64
}

var revision = regexp.MustCompile(`[?&]rev=([0-9a-f]+)`)

func (n *gitNix) SettingsKey() (string, error) { return "settings", nil }

func (n *gitNix) file(what nixcmd.Installable, name string) (string, bool) {
	m := revision.FindStringSubmatch(what.String())
	if m == nil {
		text, err := os.ReadFile(filepath.Join(n.dir, name))
		return string(text), err == nil
	}
	res, err := proc.Run(context.Background(), proc.Cmd{Argv: []string{"git", "show", m[1] + ":" + name}, Dir: n.dir})
	return string(res.Stdout), err == nil
}

func (n *gitNix) ReadAttrNames(_ context.Context, what nixcmd.Installable) (names []string, ev nixcmd.Evaluation, err error) {
	n.evaluations.Add(1)
	for _, h := range soakHosts() {
		if _, ok := n.file(what, h.Name); ok {
			names = append(names, h.Name)
		}
	}
	return names, nixcmd.Evaluation{Imports: []string{"flake.nix"}}, nil
}

func (n *gitNix) AttrNames(ctx context.Context, what nixcmd.Installable) ([]string, error) {
	names, _, err := n.ReadAttrNames(ctx, what)
	return names, err
}

func (n *gitNix) derivation(what nixcmd.Installable, host string) nixcmd.StorePath {
	text, ok := n.file(what, host)
	if !ok || text == "broken" {
		return ""
	}
	hash := fmt.Sprintf("%x", sha256.Sum256([]byte(host+text)))[:32]
	return nixcmd.StorePath(nixcmd.StoreDir + "/" + strings.ReplaceAll(hash, "e", "z") + "-" + host + ".drv")
}

func (n *gitNix) Evaluate(_ context.Context, what nixcmd.Installable, _ nixcmd.EvaluateOptions) (nixcmd.Evaluation, error) {
	n.evaluations.Add(1)
	_, attr, _ := strings.Cut(what.String(), "#")
	drv := n.derivation(what, strings.Split(attr, ".")[len(strings.Split(attr, "."))-5])
	if drv == "" {
		return nixcmd.Evaluation{}, &nixcmd.EvalError{Message: "broken", File: "flake.nix"}
	}
	return nixcmd.Evaluation{Derivation: drv, Toplevel: nixcmd.StorePath(strings.TrimSuffix(string(drv), ".drv")), Imports: []string{"flake.nix"}}, nil
}

// Whatever is edited, committed and gone back to, affected answers as evaluations of
// both states would; and asked again it evaluates nothing that did evaluate before.
func TestAffectedFromMemory(t *testing.T) {
	if _, err := proc.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	tried := 0
	rapid.Check(t, func(rt *rapid.T) {
		if tried++; tried > 30 {
			return // each costs dozens of processes
		}
		dir, state := t.TempDir(), t.TempDir()
		git := func(args ...string) string {
			res, err := proc.Run(t.Context(), proc.Cmd{Dir: dir, Argv: append([]string{"git", "-c", "user.name=T", "-c", "user.email=t@example.org"}, args...)})
			if err != nil {
				t.Fatal(err)
			}
			return strings.TrimSpace(string(res.Stdout))
		}
		write := func(name, text string) {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write("flake.nix", "{ outputs = { self }: { }; }")
		write(FileName, "")
		for _, h := range soakHosts() {
			write(h.Name, "0")
		}
		git("init", "-q")
		git("add", ".")
		git("commit", "-q", "-m", "0")
		nix := &gitNix{dir: dir}
		for range rapid.IntRange(1, 4).Draw(rt, "steps") {
			switch name := rapid.SampledFrom(soakHosts()).Draw(rt, "host").Name; rapid.IntRange(0, 4).Draw(rt, "edit") {
			case 0:
				git("add", "-A")
				git("commit", "-q", "--allow-empty", "-m", "x")
			case 1:
				git("reset", "-q", "--hard", rapid.SampledFrom(strings.Fields(git("rev-list", "HEAD"))).Draw(rt, "back"))
			case 2:
				os.Remove(filepath.Join(dir, name))
			default:
				write(name, rapid.SampledFrom([]string{"0", "1", "broken"}).Draw(rt, "text"))
				git("add", "-N", name) // this Nix, unlike the real one, sees what is not tracked
			}
			client := nixcmd.New(nixcmd.Config{Dir: dir})
			commit := func(label string) nixcmd.Commit {
				c, err := client.Commit(t.Context(), rapid.SampledFrom(strings.Fields(git("rev-list", "--all"))).Draw(rt, label))
				if err != nil {
					t.Fatal(err)
				}
				return c
			}
			since := commit("since")
			config := Config{Dir: dir, StateDir: state, Nix: nix, Dialer: noDialer{}}
			if rapid.Bool().Draw(rt, "range") {
				until := commit("until")
				config.State = &State{Flake: until.FlakeRef(), Commit: until.ID}
			}
			for again := range 2 {
				f, err := Open(config)
				if err != nil {
					t.Fatal(err)
				}
				before := nix.evaluations.Load()
				a := f.Affected(t.Context(), soakHosts(), AffectedOptions{Since: since.FlakeRef(), SinceCommit: since.ID})
				must := int64(0)
				for _, r := range a.Hosts.Results {
					then, err := installable(since.FlakeRef(), r.Host)
					now, nowErr := installable(f.flake, r.Host)
					if errors.Join(err, nowErr) != nil {
						t.Fatal(err, nowErr)
					}
					was, is := nix.derivation(then, r.Host.Name), nix.derivation(now, r.Host.Name)
					if r.Change == nil || r.Change.Affected != (is == "" || was != is) || r.Change.Is != is || is != "" && r.Change.Was != was {
						rt.Fatalf("%s: %+v (%s), want %q and %q", r.Host.Name, r.Change, r.Reason, was, is)
					}
					_, there := nix.file(then, r.Host.Name)
					if is == "" || was == "" && there { // what failed is not remembered
						must++
					}
				}
				if n := nix.evaluations.Load() - before; again == 1 && n != must {
					rt.Fatalf("asked again: %d evaluations, want %d: %+v", n, must, slices.Collect(func(yield func(string) bool) {
						for _, r := range a.Hosts.Results {
							yield(r.Host.Name + " " + r.Reason)
						}
					}))
				}
			}
		}
	})
}

// A host that is evaluated in the state before only was evaluated, and it is told why.
func TestAffectedTellsOfTheStateBefore(t *testing.T) {
	if _, err := proc.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	dir := t.TempDir()
	git := func(args ...string) string {
		t.Helper()
		res, err := proc.Run(t.Context(), proc.Cmd{Dir: dir, Argv: append([]string{"git", "-c", "user.name=T", "-c", "user.email=t@example.org"}, args...)})
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(res.Stdout))
	}
	h := soakHosts()[0]
	git("init", "-q")
	for _, text := range []string{"0", "1"} {
		for name, text := range map[string]string{"flake.nix": "{ outputs = { self }: { }; }", FileName: "", h.Name: text} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		git("add", ".")
		git("commit", "-q", "-m", text)
	}
	f, err := Open(Config{Dir: dir, StateDir: t.TempDir(), Nix: &gitNix{dir: dir}, Dialer: noDialer{}})
	if err != nil {
		t.Fatal(err)
	}
	f.run(t.Context(), []Host{h}, func(ctx context.Context, j *job) (Outcome, error) {
		_, err := j.evaluate(ctx, false)
		return Evaluated, err
	})
	before, err := nixcmd.New(nixcmd.Config{Dir: dir}).Commit(t.Context(), git("rev-parse", "HEAD~1"))
	if err != nil {
		t.Fatal(err)
	}
	for i, avoided := range []bool{false, true} {
		a := f.Affected(t.Context(), []Host{h}, AffectedOptions{Since: before.FlakeRef(), SinceCommit: before.ID})
		if v := a.Hosts.Results[0].Evaluation; v.Avoided != avoided || !avoided && !strings.HasPrefix(v.Reason, h.Name+" changed") {
			t.Errorf("time %d: %+v", i, v)
		}
	}
}
