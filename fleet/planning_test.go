package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

// pretended is a fleet of hosts that are not there: Nix wants newSystem of each,
// and a host answers as its survey says. It notes what is done.
type pretended struct {
	Nix     // methods that are not wanted here
	mu      sync.Mutex
	surveys map[string]string // by host; none: it is down
	copied  []string
	scripts []string
}

const drv = nixcmd.StorePath("/nix/store/22222222222222222222222222222222-nixos-system-new.drv")

func (l *pretended) note(list *[]string, what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*list = append(*list, what)
}

func (l *pretended) Evaluate(context.Context, nixcmd.Installable, nixcmd.EvaluateOptions) (nixcmd.Evaluation, error) {
	return nixcmd.Evaluation{Derivation: drv, Toplevel: newSystem}, nil
}

func (l *pretended) Build(_ context.Context, _ []nixcmd.StorePath, opt nixcmd.BuildOptions) ([]nixcmd.StorePath, error) {
	opt.Progress(nixcmd.BuildEvent{Kind: nixcmd.BuildStarted, Derivation: drv, Totals: nixcmd.BuildTotals{FetchesDone: 3, BytesDone: 30}})
	return []nixcmd.StorePath{newSystem}, nil
}

func (l *pretended) Closure(context.Context, nixcmd.StorePath) ([]nixcmd.PathInfo, error) {
	return []nixcmd.PathInfo{{Path: newSystem, NarSize: 3 << 20}, {Path: oldSystem, NarSize: 5 << 20}}, nil
}

func (l *pretended) BackgroundClosure(context.Context, nixcmd.StorePath) ([]nixcmd.PathInfo, error) {
	return nil, errors.New("not known")
}

func (l *pretended) Copy(_ context.Context, _ []nixcmd.StorePath, opt nixcmd.CopyOptions) error {
	l.note(&l.copied, opt.To)
	return nil
}

func (l *pretended) Connect(_ context.Context, h Host) (Remote, error) {
	if l.surveys[h.Name] == "" {
		return nil, &sshpool.Error{Kind: sshpool.KindUnreachable, ExitCode: 255}
	}
	return &remoteHost{l, h.Name}, nil
}

type remoteHost struct {
	lab  *pretended
	name string
}

func (r *remoteHost) NixSSHOpts() string { return "" }
func (r *remoteHost) Fresh(ctx context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
	return r.Run(ctx, cmd)
}

func (r *remoteHost) Run(_ context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
	cmd = sent(cmd)
	answer := ""
	switch {
	case cmd.Script == surveyScript:
		answer = r.lab.surveys[r.name]
	case slices.Contains(cmd.Argv, storeScript):
		paths, err := io.ReadAll(cmd.Stdin)
		if err != nil || string(paths) != string(newSystem)+"\n"+string(oldSystem)+"\n" {
			return sshpool.Result{}, fmt.Errorf("asked for %q, %v", paths, err)
		}
		answer = "flotilla-store 1\nmissing " + string(newSystem) + "\nend ok\n"
		if cmd.Argv[len(cmd.Argv)-1] != "" {
			answer = strings.Replace(answer, "end", "live "+string(oldSystem)+"\nsize 5242880\nend", 1)
		}
		r.lab.note(&r.lab.scripts, r.name+" store")
	default:
		what := cmd.Argv[len(cmd.Argv)-1]
		if len(cmd.Argv) > 5 {
			what = cmd.Argv[5]
		}
		r.lab.note(&r.lab.scripts, r.name+" "+cmd.Argv[0]+" "+what)
		said := []string{"flotilla-unit 1", "end gone"}
		if what == "dry-activate" {
			said = []string{"flotilla-unit 1", "log would restart the following units: a.service", "next/kernel x", "code 1", "status 0", "end ok"}
		}
		for _, line := range said {
			if cmd.Stdout != nil {
				cmd.Stdout(line)
			}
		}
	}
	return sshpool.Result{Stdout: []byte(answer)}, nil
}

// free is a host's survey with so much free space, in MiB, and other changes.
func free(mib int, changes ...string) string {
	changes = append(changes, "free-kib 2048", fmt.Sprintf("free-kib %d", mib<<10), "current "+string(newSystem), "current "+string(oldSystem))
	return strings.NewReplacer(changes...).Replace(goodSurvey)
}

func (l *pretended) open(t *testing.T, sink Sink) *Fleet {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"flake.nix": "{}", FileName: "[hosts.a]\n[hosts.b]\n[hosts.c]\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := Open(Config{Dir: dir, StateDir: t.TempDir(), Nix: l, Dialer: l, Sink: sink})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A plan of a fleet in which one host is down and another lets nobody be root:
// the third's is whole, and of the second all is told that needs no root. The
// order that deploying would keep to is none of a plan's.
func TestPlanOfABrokenFleet(t *testing.T) {
	l := &pretended{surveys: map[string]string{"b": free(100, "root yes", "root no"), "c": free(100)}}
	f := l.open(t, nil)
	r := f.Plan(t.Context(), f.Inventory.Hosts, DeployOptions{Order: UntilFailure})
	if r.ExitCode() != ExitSomeFailed || !r.Planned {
		t.Errorf("exit code %d: %+v", r.ExitCode(), r)
	}
	a, b, c := r.Results[0], r.Results[1], r.Results[2]
	if a.Outcome != Unreachable || a.Difference != nil {
		t.Errorf("down: %+v", a)
	}
	if d := b.Difference; b.Outcome != Failed || d == nil || d.Copy != (CopyWork{1, 3 << 20}) || len(d.Packages.Added) != 1 || !strings.Contains(d.UnitsUnknown, "sudo") {
		t.Errorf("no root: %+v, %+v", b, d)
	}
	if d := c.Difference; c.Outcome != Compared || d == nil || d.UnitsUnknown != "" || !slices.Equal(d.Units.Restart, []string{"a.service"}) ||
		!slices.Equal(c.RebootFor, []string{"kernel"}) || c.Build != (BuildWork{1, 3, 30}) || d.FreeBytes != 100<<20 {
		t.Errorf("whole: %+v, %+v", c, d)
	}
	slices.Sort(l.scripts)
	if got := strings.Join(l.scripts, "; "); !regexp.MustCompile(`^b store; c clean flotilla-compare-\w+; c start dry-activate; c store$`).MatchString(got) || len(l.copied) != 1 {
		t.Errorf("done there: %s; copied: %v", got, l.copied)
	}
}

// A host that is as wanted is asked once. With force it is planned like others.
func TestPlanOfAnUnchangedHost(t *testing.T) {
	l := &pretended{surveys: map[string]string{"a": goodSurvey}}
	f := l.open(t, nil)
	r := f.Plan(t.Context(), f.Inventory.Hosts[:1], DeployOptions{})
	if res := r.Results[0]; res.Outcome != Unchanged || len(l.scripts) != 0 || len(l.copied) != 0 || !slices.Equal(res.RebootFor, []string{"kernel"}) {
		t.Errorf("%+v, %v", res, l.scripts)
	}
	r = f.Plan(t.Context(), f.Inventory.Hosts[:1], DeployOptions{Force: true})
	if res := r.Results[0]; res.Outcome != Compared || !strings.Contains(res.Reason, "asked for") {
		t.Errorf("forced: %+v", res)
	}
}

// A plan of what was tested builds nothing, and knows what the test built.
func TestPlanOfTested(t *testing.T) {
	l := &pretended{surveys: map[string]string{"a": free(100)}}
	f := l.open(t, nil)
	tested := f.Test(t.Context(), f.Inventory.Hosts[:1], TestOptions{})
	l.Nix = nil
	r := f.Plan(t.Context(), f.Inventory.Hosts[:2], DeployOptions{Tested: tested})
	if res := r.Results[0]; res.Outcome != Compared || res.Build != (BuildWork{1, 3, 30}) {
		t.Errorf("%+v", res)
	}
	if res := r.Results[1]; res.Outcome != Failed || !strings.Contains(res.Err.Error(), "not built by the test") {
		t.Errorf("%+v", res)
	}
}

// Where the closure has no room the plan says so, and a deployment fails before
// anything is copied. The host is asked what it lacks only if that matters.
func TestNoRoom(t *testing.T) {
	for _, c := range []struct {
		mib        int
		asked, fit bool
	}{{2, true, false}, {3, true, true}, {7, true, true}, {8, false, true}, {-1, false, true}} {
		l := &pretended{surveys: map[string]string{"a": free(c.mib)}}
		if c.mib < 0 {
			l.surveys["a"] = strings.Replace(free(0), "free-kib 0\n", "", 1)
		}
		var warnings []string
		f := l.open(t, SinkFunc(func(e Event) {
			if e.Kind == KindWarning {
				warnings = append(warnings, e.Text)
			}
		}))
		res := f.Plan(t.Context(), f.Inventory.Hosts[:1], DeployOptions{}).Results[0]
		if res.Outcome != Compared || res.Difference.NoRoom() == c.fit || (len(l.copied) == 1) != c.fit || (len(warnings) == 0) != c.fit {
			t.Errorf("plan with %d MiB: %+v, %+v, copied %v, warned %v", c.mib, res, res.Difference, l.copied, warnings)
		}
		l.copied, l.scripts = nil, nil
		res = f.Deploy(t.Context(), f.Inventory.Hosts[:1], DeployOptions{}).Results[0]
		if (len(l.copied) == 1) != c.fit || slices.Contains(l.scripts, "a store") != c.asked {
			t.Errorf("deployed with %d MiB: copied %v, asked %v", c.mib, l.copied, l.scripts)
		}
		if c.fit {
			continue
		}
		se, ok := res.Err.(*StepError)
		if !ok || se.Step != StepCopy || se.Brief != "the host's store has 2.0 MiB free, too little for the 3.0 MiB to copy" || !strings.Contains(se.Hint, "free space there") || res.Outcome != Failed {
			t.Errorf("%+v", res)
		}
		if len(l.scripts) != 1 {
			t.Errorf("done on the host: %v", l.scripts)
		}
	}
}
