package fleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nixflotilla/flotilla/internal/proc"
	"github.com/nixflotilla/flotilla/internal/readset"
	"github.com/nixflotilla/flotilla/internal/worktree"
	"github.com/nixflotilla/flotilla/nixcmd"
)

// countingNix evaluates at once, and counts.
type countingNix struct {
	Nix
	evaluations atomic.Int64
	broken      atomic.Bool
}

func (n *countingNix) SettingsKey() (string, error) { return "settings", nil }

func (n *countingNix) Evaluate(_ context.Context, what nixcmd.Installable, _ nixcmd.EvaluateOptions) (nixcmd.Evaluation, error) {
	n.evaluations.Add(1)
	if n.broken.Load() {
		return nixcmd.Evaluation{}, errors.New("broken")
	}
	name := strings.Split(what.String(), ".")[2]
	return nixcmd.Evaluation{
		Derivation: nixcmd.StorePath(nixcmd.StoreDir + "/00000000000000000000000000000000-" + name + ".drv"),
		Toplevel:   nixcmd.StorePath(nixcmd.StoreDir + "/11111111111111111111111111111111-" + name),
		Imports:    []string{"flake.nix"}, Warnings: []string{"old " + name, "old " + name},
	}, nil
}

// Many hosts at once, from several fleets on one state: each is evaluated once
// for a tree, by whoever comes first, and its warnings are heard every time, and each once. What
// failed is not remembered, and neither is what a program's own Nix cannot vouch
// for.
func TestRecall(t *testing.T) {
	if _, err := proc.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	dir, state := t.TempDir(), t.TempDir()
	if err := errors.Join(
		os.WriteFile(filepath.Join(dir, "flake.nix"), []byte("{ outputs = { self }: { }; }"), 0o600),
		os.WriteFile(filepath.Join(dir, FileName), nil, 0o600),
	); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "-q", "-m", "x"}} {
		if _, err := proc.Run(t.Context(), proc.Cmd{Argv: append([]string{"git"}, args...), Dir: dir}); err != nil {
			t.Fatal(err)
		}
	}
	var hosts []Host
	for i := range 20 {
		name := fmt.Sprintf("h%d", i)
		hosts = append(hosts, Host{Name: name, Attr: name})
	}
	evaluate := func(nix Nix) (*Report, int64) {
		t.Helper()
		var warnings atomic.Int64
		f, err := Open(Config{Dir: dir, StateDir: state, Nix: nix, Dialer: noDialer{}, Sink: SinkFunc(func(e Event) {
			if e.Kind == KindWarning && e.Text == "old "+e.Host {
				warnings.Add(1)
			}
		})})
		if err != nil {
			t.Fatal(err)
		}
		r := f.run(t.Context(), hosts, func(ctx context.Context, j *job) (Outcome, error) {
			_, err := j.evaluate(ctx, false)
			return Evaluated, err
		})
		return r, warnings.Load()
	}

	broken := &countingNix{}
	broken.broken.Store(true)
	if r, _ := evaluate(broken); r.Results[0].Evaluation != (Verdict{Reason: "it was not evaluated before"}) {
		t.Errorf("one that failed: %+v", r.Results[0].Evaluation)
	}
	nix := &countingNix{}
	for i, want := range []int64{20, 20, 20} {
		r, warnings := evaluate(nix)
		if n := nix.evaluations.Load(); r.Err() != nil || n != want || warnings != 20 {
			t.Errorf("run %d: %v, %d evaluations, want %d; %d warnings", i, r.Err(), n, want, warnings)
		}
		for _, res := range r.Results {
			if res.Evaluation.Avoided != (i > 0) || res.Evaluation.Reason == "" || res.Wanted.Name() != res.Host.Name {
				t.Errorf("run %d: %+v", i, res)
			}
		}
	}
	own := struct{ Nix }{nix} // without SettingsKey
	r, _ := evaluate(own)
	if n := nix.evaluations.Load(); n != 40 || r.Results[0].Evaluation != (Verdict{}) {
		t.Errorf("%d evaluations: %+v", n, r.Results[0].Evaluation)
	}
}

// What changed is told against the tree that is nearest, not against the one that
// was evaluated last, as affected does with that of another commit.
func TestReasonIsOfTheNearestTree(t *testing.T) {
	if _, err := proc.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	dir := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		if _, err := proc.Run(t.Context(), proc.Cmd{Argv: append([]string{"git"}, args...), Dir: dir}); err != nil {
			t.Fatal(err)
		}
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("flake.nix", "{ outputs = { self }: { }; }")
	write(FileName, "")
	write("a", "1")
	git("init", "-q")
	git("add", ".")
	f, err := Open(Config{Dir: dir, StateDir: t.TempDir(), Nix: &countingNix{}, Dialer: noDialer{}})
	if err != nil {
		t.Fatal(err)
	}
	why := func() string {
		return f.run(t.Context(), []Host{{Name: "h", Attr: "h"}}, func(ctx context.Context, j *job) (Outcome, error) {
			_, err := j.evaluate(ctx, false)
			return Evaluated, err
		}).Results[0].Evaluation.Reason
	}
	for _, step := range []struct {
		edit func()
		want string
	}{
		{func() {}, "it was not evaluated before"},
		{func() { write("b", "1"); git("add", "b") }, "b was added"},
		{func() { git("rm", "-q", "--cached", "b"); write("a", "2") }, "a changed, and "},
		{func() { write("a", "3"); git("add", "b") }, "a changed, and "},
		{func() { write("c", "1"); write("d", "1"); git("add", "c", "d") }, "c and d were added"},
		{func() { git("rm", "-q", "--cached", "c", "d"); write("e", "1"); git("add", "e") }, "e was added"},
	} {
		step.edit()
		if got := why(); !strings.HasPrefix(got, step.want) {
			t.Errorf("%q, want %q", got, step.want)
		}
	}
}

// A tree by which a result was found to hold is not forgotten for those that it was then
// found to hold for: by it, clean as it is, and by no other may the next one be judged.
func TestWhatPredictsIsKept(t *testing.T) {
	if _, err := proc.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("flake.nix", "{ outputs = { self }: { }; }")
	write(FileName, "")
	write("a", "0")
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "-q", "-m", "x"}} {
		if _, err := proc.Run(t.Context(), proc.Cmd{Argv: append([]string{"git"}, args...), Dir: dir}); err != nil {
			t.Fatal(err)
		}
	}
	nix := &countingNix{}
	f, err := Open(Config{Dir: dir, StateDir: t.TempDir(), Nix: nix, Dialer: noDialer{}})
	if err != nil {
		t.Fatal(err)
	}
	h := Host{Name: "h", Attr: "h"}
	store := readset.Open(f.evaluations())
	tree := func() *worktree.Tree {
		s := f.recollect(t.Context())
		defer s.finish()
		if !s.open() || store.KeepTree(s.tree) != nil {
			t.Fatal(s.off)
		}
		return s.tree
	}
	clean := tree()
	write("a", "1")
	dirty := tree()
	if err := store.Save(h.Name, []*readset.Result{{
		Settings: "settings h", Tree: dirty.Fingerprint(), Shape: dirty.Shape(), Same: []string{clean.Fingerprint()},
		Derivation: nixcmd.StoreDir + "/00000000000000000000000000000000-h.drv", Toplevel: nixcmd.StoreDir + "/11111111111111111111111111111111-h",
		Imports: map[string]readset.Facts{"flake.nix": {}},
		Earned:  map[readset.Step]readset.Ways{readset.Mixed: {Contents: true, State: true}},
	}}); err != nil {
		t.Fatal(err)
	}
	for i := range 8 {
		write("a", strings.Repeat("x", i+2))
		r := f.run(t.Context(), []Host{h}, func(ctx context.Context, j *job) (Outcome, error) {
			_, err := j.evaluate(ctx, false)
			return Evaluated, err
		})
		if v := r.Results[0].Evaluation; !v.Avoided {
			t.Fatalf("edit %d: %s", i, v.Reason)
		}
	}
}
