package nixcmd

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nixflotilla/flotilla/internal/proc"
)

// realClient is a client of the real Nix of this machine, in a work tree of the
// test flake. The test is skipped without one.
func realClient(t *testing.T) (*Client, string) {
	t.Helper()
	if realNix == "" {
		t.Skip("no nix in PATH: only the recordings are tested")
	}
	if _, err := proc.LookPath("git"); err != nil {
		t.Skip("no git in PATH: the test flake needs a work tree")
	}
	dir := filepath.Join(t.TempDir(), "flake")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "flake"))); err != nil {
		t.Fatal(err)
	}
	git(t, dir, "init", "-q")
	git(t, dir, "add", ".")
	git(t, dir, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "flake")
	return New(Config{
		Program: realNix, Dir: dir, Grace: time.Second,
		Env:     []string{"HOME=" + t.TempDir(), "XDG_CACHE_HOME=" + t.TempDir()},
		Options: []Option{{"substituters", ""}, {"sandbox", "false"}},
	}), dir
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	res, err := proc.Run(t.Context(), proc.Cmd{Argv: append([]string{"git", "-C", dir}, args...)})
	if err != nil {
		t.Fatalf("%v\n%s", err, res.Stderr)
	}
}

func host(t *testing.T, name string) Installable {
	t.Helper()
	i, err := FlakeAttr(".", "nixosConfigurations", name, "config", "system", "build", "toplevel")
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func mustEvaluate(t *testing.T, nix *Client, name string) Evaluation {
	t.Helper()
	ev, err := nix.Evaluate(t.Context(), host(t, name), EvaluateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return ev
}

func TestRealEvaluate(t *testing.T) {
	nix, dir := realClient(t)
	v, err := nix.Version(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Log("Nix", v)

	fresh := mustEvaluate(t, nix, "web")
	want := []string{"flake.nix", "hosts/web.nix", "lib/make.nix"}
	if fresh.Cached || !slices.Equal(fresh.Imports, want) {
		t.Errorf("fresh: cached %v, imports %q", fresh.Cached, fresh.Imports)
	}
	if fresh.Toplevel.Name() != "nixos-system-web-26.05" || fresh.Derivation.Name() != "nixos-system-web-26.05.drv" {
		t.Errorf("%+v", fresh)
	}
	again := mustEvaluate(t, nix, "web")
	if !again.Cached || len(again.Imports) > 0 || again.Derivation != fresh.Derivation || again.Toplevel != fresh.Toplevel {
		t.Errorf("again: %+v", again)
	}
	// What a flake imports by way of its own store path is still its own.
	if ev := mustEvaluate(t, nix, "self-import"); !slices.Equal(ev.Imports, want) {
		t.Errorf("self-import: %q", ev.Imports)
	}
	if ev := mustEvaluate(t, nix, "a.b 100%#?"); ev.Toplevel.Name() != "quoted" {
		t.Errorf("quoted: %+v", ev)
	}
	if ev := mustEvaluate(t, nix, "multi"); ev.Toplevel.Name() != "multi" {
		t.Errorf("multi: %+v", ev)
	}
	if err := os.WriteFile(filepath.Join(dir, "hosts", "web.nix"), []byte(`{ name = "changed"; }`), 0o600); err != nil {
		t.Fatal(err)
	}
	dirty := mustEvaluate(t, nix, "web")
	if dirty.Toplevel.Name() != "changed" || dirty.Cached || len(dirty.Warnings) != 1 {
		t.Errorf("dirty: %+v", dirty)
	}
}

func TestRealEvalErrors(t *testing.T) {
	nix, _ := realClient(t)
	for _, c := range []struct {
		name, message, file string
		trace               bool
	}{
		{"throws", "the option `services.web' does not exist", "", false},
		{"throws", "the option `services.web' does not exist", "hosts/throws.nix", true},
		{"syntax", "syntax error, unexpected '}', expecting ';'", "hosts/syntax.nix", false},
		{"asserts", "Failed assertions:\n- services.web needs a domain\n- the firewall is off", "", false},
	} {
		// Twice, since a failure too may be cached.
		for range 2 {
			_, err := nix.Evaluate(t.Context(), host(t, c.name), EvaluateOptions{ShowTrace: c.trace})
			var e *EvalError
			if !errors.As(err, &e) {
				t.Fatalf("%s: %v", c.name, err)
			}
			if e.Message != c.message || e.File != c.file || (len(e.Trace) > 0) != c.trace && c.name != "syntax" {
				t.Errorf("%s: %q at %q, trace %q", c.name, e.Message, e.File, e.Trace)
			}
		}
	}
}

func TestRealBuild(t *testing.T) {
	nix, dir := realClient(t)
	ev := mustEvaluate(t, nix, "web")
	paths, err := nix.Build(t.Context(), []StorePath{ev.Derivation}, BuildOptions{OutLink: "result"})
	if err != nil || !slices.Equal(paths, []StorePath{ev.Toplevel}) {
		t.Fatalf("%v, %v", paths, err)
	}
	if to, err := os.Readlink(filepath.Join(dir, "result")); err != nil || to != string(ev.Toplevel) {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	closure, err := nix.Closure(t.Context(), ev.Toplevel)
	if err != nil || len(closure) != 3 {
		t.Fatalf("%v, %v", closure, err)
	}
	if d := Diff(nil, closure); len(d.Added) != 3 || d.NewSize <= 0 {
		t.Errorf("%+v", d)
	}
	drvs, err := nix.Closure(t.Context(), ev.Derivation)
	if err != nil || len(drvs) < 3 {
		t.Errorf("a derivation's closure: %v, %v", drvs, err)
	}

	store := "file://" + t.TempDir()
	copied := 0
	if err := nix.Copy(t.Context(), paths, CopyOptions{To: store, Progress: func(e CopyEvent) {
		if e.Path != "" {
			copied = e.Done + 1
		}
	}}); err != nil || copied != 3 {
		t.Errorf("%d copied, %v", copied, err)
	}
	err = nix.Copy(t.Context(), paths, CopyOptions{To: CopyURL("", "host.invalid")})
	var e *CopyError
	if !errors.As(err, &e) || e.Message == "" {
		t.Errorf("copying nowhere: %v", err)
	}
}

func TestRealBuildErrors(t *testing.T) {
	nix, _ := realClient(t)
	ev := mustEvaluate(t, nix, "failing")
	_, err := nix.Build(t.Context(), []StorePath{ev.Derivation}, BuildOptions{KeepGoing: true})
	var e *BuildError
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	var names []string
	for _, f := range e.Failed {
		names = append(names, f.Derivation.Name())
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{"broken-1.0.drv", "broken-2.0.drv"}) {
		t.Errorf("failed: %q", names)
	}
	for _, f := range e.Failed {
		if last := f.LogTail[len(f.LogTail)-1]; last != "cannot find -lssl" && last != "second failure" {
			t.Errorf("%s: %q", f.Derivation, f.LogTail)
		}
		if !strings.Contains(f.Reason, "failed with exit code") {
			t.Errorf("%s: reason %q", f.Derivation, f.Reason)
		}
	}
	ev = mustEvaluate(t, nix, "system")
	_, err = nix.Build(t.Context(), []StorePath{ev.Derivation}, BuildOptions{})
	if !errors.As(err, &e) || len(e.Messages) == 0 {
		t.Errorf("another system: %v", err)
	}
}

// Nix 2.34 at times overlooks an interrupt that comes right after output of a
// builder, and is then killed when the grace period is over.
func TestRealCancel(t *testing.T) {
	nix, _ := realClient(t)
	ev := mustEvaluate(t, nix, "slow")
	ctx, cancel := context.WithCancel(t.Context())
	_, err := nix.Build(ctx, []StorePath{ev.Derivation}, BuildOptions{Progress: func(e BuildEvent) {
		if e.Kind == BuildLog {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	var e *BuildError
	if errors.As(err, &e) {
		t.Error("a cancelled build is held to have failed")
	}
	cancel()
}
