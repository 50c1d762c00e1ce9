package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nixflotilla/flotilla/nixcmd"
	"github.com/nixflotilla/flotilla/sshpool"
)

// world is Nix and ssh as far as builds and copies need them. It notes what is
// done, in the order in which it happens.
type world struct {
	Flake        // not asked but for names
	Locker       // not asked
	Installation // not asked
	Caches       // not asked

	mu    sync.Mutex
	did   []string
	names []string        // the flake's configurations
	down  map[string]bool // hosts that cannot be reached
	fail  error           // of builds
	reach string          // what a build host gets from the target by itself: a boot id, or ""
	stuck error           // of copies straight from there
	copy  func(context.Context, nixcmd.CopyOptions) error
}

func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.did = append(w.did, fmt.Sprintf(format, args...))
}

func (w *world) Evaluate(context.Context, nixcmd.Installable, nixcmd.EvaluateOptions) (nixcmd.Evaluation, error) {
	return nixcmd.Evaluation{Derivation: newSystem + ".drv", Toplevel: newSystem}, nil
}

func (w *world) Build(_ context.Context, _ []nixcmd.StorePath, opt nixcmd.BuildOptions) ([]nixcmd.StorePath, error) {
	w.note("build store=%q ssh=%q link=%t cache=%q", opt.Store, opt.SSHOpts, opt.OutLink != "", opt.Cache.URL)
	return []nixcmd.StorePath{newSystem}, w.fail
}

func (w *world) Fetch(_ context.Context, _ []nixcmd.StorePath, opt nixcmd.FetchOptions) error {
	w.note("fetch from=%q ssh=%q", opt.From, opt.SSHOpts)
	return nil
}

func (w *world) Copy(ctx context.Context, _ []nixcmd.StorePath, opt nixcmd.CopyOptions) error {
	w.note("copy to=%q ssh=%q substitute=%t", opt.To, opt.SSHOpts, opt.SubstituteOnDestination)
	if w.copy != nil {
		return w.copy(ctx, opt)
	}
	return nil
}

func (w *world) Closure(context.Context, nixcmd.StorePath) ([]nixcmd.PathInfo, error) {
	w.note("closure here")
	return []nixcmd.PathInfo{{Path: newSystem, NarSize: 7}}, nil
}

func (w *world) BackgroundClosure(context.Context, nixcmd.StorePath) ([]nixcmd.PathInfo, error) {
	return nil, nil
}

func (w *world) AttrNames(context.Context, nixcmd.Installable) ([]string, error) {
	return w.names, nil
}

func (w *world) Connect(_ context.Context, h Host) (Remote, error) {
	if w.down[h.Name] {
		return nil, &sshpool.Error{Kind: sshpool.KindUnreachable}
	}
	return session{w, h}, nil
}

type session struct {
	*world
	host Host
}

func (s session) NixSSHOpts() string { return "to " + s.host.Name }
func (s session) Fresh(ctx context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
	return s.Run(ctx, cmd)
}

func (s session) Run(_ context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
	cmd = sent(cmd)
	script := cmd.Script
	if cmd.Stdin != nil && !strings.Contains(strings.Join(cmd.Argv, " "), whileScript) {
		text, _ := io.ReadAll(cmd.Stdin)
		script = string(text)
	}
	answer := ""
	switch {
	case script == surveyScript:
		s.note("survey %s %v", s.host.Name, cmd.Argv)
		answer = strings.ReplaceAll(goodSurvey, string(newSystem), string(oldSystem))
	case script == keepScript:
		s.note("keep on %s %v", s.host.Name, cmd.Argv[1:])
		answer = "end ok\n"
	case strings.HasPrefix(script, "command -v nix-daemon"):
		s.note("try %s", s.host.Name)
		answer = "/usr/bin/nix-daemon\n"
	case len(cmd.Argv) > 2 && cmd.Argv[2] == fetchScript:
		s.note("fetch on %s from %s, %s", s.host.Name, cmd.Argv[5], cmd.Argv[4])
		answer = "flotilla-fetch 1\nlacked " + string(newSystem) + "\nlacks " + string(newSystem) + "\nend ok\n"
	case len(cmd.Argv) > 0 && cmd.Argv[0] == "ssh":
		s.note("reach from %s: %s", s.host.Name, strings.Join(cmd.Argv[len(cmd.Argv)-3:], " "))
		if s.reach == "" {
			return sshpool.Result{Stderr: []byte("root@a: Permission denied (publickey).\n")}, &sshpool.ExitError{Code: 255}
		}
		answer = s.reach + "\n"
	case len(cmd.Argv) > 9 && cmd.Argv[2] == whileScript:
		s.note("copy on %s: %s", s.host.Name, strings.Join(cmd.Argv[9:], " "))
		if s.stuck != nil {
			return sshpool.Result{Stderr: []byte("error: the wire is cut\n")}, s.stuck
		}
	case len(cmd.Argv) > 0 && cmd.Argv[0] == "nix":
		s.note("closure on %s", s.host.Name)
		answer = "[]"
	default:
		s.note("run on %s: %v", s.host.Name, cmd.Argv)
		return sshpool.Result{}, errors.New("here the test ends")
	}
	return sshpool.Result{Stdout: []byte(answer)}, nil
}

func fleetOf(t *testing.T, w *world, toml string) (*Fleet, []Host) {
	t.Helper()
	inv, err := parse("/f/fleet.toml", []byte(toml))
	if err != nil {
		t.Fatal(err)
	}
	return &Fleet{Inventory: inv, nix: w, dialer: w, stateDir: t.TempDir(), patience: time.Hour, substituters: time.Hour, stages: newStages(inv.Limits)}, inv.Hosts
}

const threeOfThem = "[cache]\nurl=\"s3://c\"\npublic-key=\"c:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"\n[hosts.b]\nuser=\"u\"\n[hosts.a]\n"

// Where a build goes, what is copied from where, and that each end gets its own
// connection's options and never another's.
func TestWhereBuildsGo(t *testing.T) {
	for _, c := range []struct {
		name, toml string
		opt        DeployOptions
		want       []string
	}{
		{"here", "", DeployOptions{}, []string{
			`build store="" ssh="" link=true cache=""`, "closure here", `copy to="ssh-ng://a?max-connections=1" ssh="to a" substitute=false`}},
		{"on the target", `build-host = "target"`, DeployOptions{}, []string{
			`build store="ssh-ng://a?max-connections=1" ssh="to a" link=false cache=""`}},
		{"by its name", `build-host = "a"`, DeployOptions{}, []string{
			`build store="ssh-ng://a?max-connections=1" ssh="to a" link=false cache=""`}},
		{"on another", `build-host = "b"`, DeployOptions{}, []string{
			"try b", `build store="ssh-ng://u@b?max-connections=1" ssh="to b" link=false cache=""`, "keep on b [a " + string(newSystem) + "]",
			"reach from b: -- a cat " + bootIDFile, `fetch from="ssh-ng://u@b?max-connections=1" ssh="to b"`, "closure here", `copy to="ssh-ng://a?max-connections=1" ssh="to a" substitute=false`}},
		{"here after all", `build-host = "b"`, DeployOptions{BuildHost: BuildHere}, []string{
			`build store="" ssh="" link=true cache=""`, "closure here", `copy to="ssh-ng://a?max-connections=1" ssh="to a" substitute=false`}},
		{"with the cache", `build-host = "b"`, DeployOptions{FromCache: true}, []string{
			`build store="" ssh="" link=true cache="s3://c"`, "closure here", "fetch on a from s3://c, only",
			`copy to="ssh-ng://a?max-connections=1" ssh="to a" substitute=false`}},
		{"substituting", `substitute-on-target = true`, DeployOptions{}, []string{
			`build store="" ssh="" link=true cache=""`, "closure here", `copy to="ssh-ng://a?max-connections=1" ssh="to a" substitute=true`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &world{}
			f, hosts := fleetOf(t, w, threeOfThem+c.toml)
			f.Deploy(t.Context(), hosts[1:], c.opt)
			if len(w.did) < 2 || !strings.HasPrefix(w.did[0], "survey a") || !strings.HasPrefix(w.did[len(w.did)-1], "run on a: [activate") {
				t.Fatalf("did %q", w.did)
			}
			if got := w.did[1 : len(w.did)-1]; !slices.Equal(got, c.want) {
				t.Errorf("did\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// From a build host that can log in to the target by itself, and to no other machine, the
// closure goes straight; else, or if that fails, through here. It is asked once.
func TestStraightOrThroughHere(t *testing.T) {
	const bootID = "0b8f" // of goodSurvey
	const straight = "copy on b: nix copy --extra-experimental-features nix-command flakes --no-check-sigs --log-format raw --to ssh-ng://root@a?max-connections=1&remote-program=env%20FLOTILLA_COPY%3D"
	for _, c := range []struct {
		name, reach string
		stuck       error
		want        []string
		says, from  string
		outcome     Outcome
	}{
		{"straight", bootID, nil, []string{straight}, "all paths were there, straight from b", "b", Failed},
		{"no key", "", nil, []string{"fetch", "copy to"}, "from b through here: b cannot log in to it (root@a: Permission denied (publickey).)", "", Failed},
		{"another machine", "something else", nil, []string{"fetch", "copy to"}, "b cannot log in to it (what it reaches as a is another machine)", "", Failed},
		{"the copy fails", bootID, &sshpool.ExitError{Code: 1}, []string{straight, "fetch", "copy to"}, "b could not copy it to the host: the wire is cut; copying it through here", "", Failed},
		{"the build host is lost", bootID, &sshpool.Error{Kind: sshpool.KindLost}, []string{straight}, "", "", Unreachable},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &world{reach: c.reach, stuck: c.stuck}
			f, hosts := fleetOf(t, w, threeOfThem+"user = \"root\"\nbuild-host = \"b\"\n")
			var said strings.Builder
			f.sink = SinkFunc(func(e Event) { said.WriteString(e.Text + "\n") })
			r := f.Deploy(t.Context(), hosts[1:], DeployOptions{}).Results[0]
			var copies []string
			asked, ended := 0, false
			for _, d := range w.did {
				ended = ended || strings.HasPrefix(d, "run on a: ["+nixcmd.MarkName+"=")
				if strings.HasPrefix(d, "reach ") {
					asked++
				}
				if strings.HasPrefix(d, "copy") || strings.HasPrefix(d, "fetch") {
					copies = append(copies, d)
				}
			}
			if !slices.EqualFunc(copies, c.want, strings.HasPrefix) || asked != 1 || ended != (c.stuck != nil) {
				t.Errorf("did %q", w.did)
			}
			if !strings.Contains(said.String(), c.says) || r.CopiedFrom != c.from || r.Outcome != c.outcome {
				t.Errorf("%s, copied from %q, said %s", r.Outcome, r.CopiedFrom, said.String())
			}
		})
	}
}

// What was tested is where it was built, whatever fleet.toml says by now.
func TestDeployOfWhatWasTestedElsewhere(t *testing.T) {
	w := &world{}
	f, hosts := fleetOf(t, w, threeOfThem+`build-host = "target"`)
	tested := f.Test(t.Context(), hosts[1:], TestOptions{})
	want := []string{"try a", `build store="ssh-ng://a?max-connections=1" ssh="to a" link=false cache=""`, "keep on a [a " + string(newSystem) + "]"}
	if !slices.Equal(w.did, want) || tested.Results[0].BuiltOn != "a" {
		t.Fatalf("did %q: %+v", w.did, tested.Results)
	}
	f, hosts = fleetOf(t, w, threeOfThem)
	f.Deploy(t.Context(), hosts[1:], DeployOptions{Tested: tested})
	if rest := w.did[len(want):]; len(rest) != 2 || !strings.HasPrefix(rest[1], "run on a: [activate") {
		t.Errorf("did %q", rest)
	}
}

// A build host with MaxSessions 1 had "Nix daemon disconnected unexpectedly (maybe it crashed?)" said of it.
func TestBuildHostThatOpensOneSession(t *testing.T) {
	w := &world{fail: &nixcmd.BuildError{Messages: []string{"Nix daemon disconnected unexpectedly (maybe it crashed?)"}}}
	for sessions, hinted := range map[int]bool{1: true, 8: false} {
		f, hosts := fleetOf(t, w, threeOfThem+"build-host = \"b\"\n")
		f.dialer = oneSession{f.dialer, sessions}
		r := f.Test(t.Context(), hosts[1:], TestOptions{}).Results[0]
		var step *StepError
		if !errors.As(r.Err, &step) || strings.Contains(step.Hint, "b opens one session at a time") != hinted || strings.Contains(step.Brief, "lost") {
			t.Errorf("%d sessions: %+v", sessions, r.Err)
		}
	}
}

type oneSession struct {
	Dialer
	sessions int
}

func (d oneSession) Connect(ctx context.Context, h Host) (Remote, error) {
	r, err := d.Dialer.Connect(ctx, h)
	return counting{r, d.sessions}, err
}

type counting struct {
	Remote
	sessions int
}

func (c counting) Sessions() int { return c.sessions }

// Run lets no survey get through after a build.
func (c counting) Run(ctx context.Context, cmd sshpool.Cmd) (sshpool.Result, error) {
	if c.sessions == 1 && cmd.Script == surveyScript {
		return sshpool.Result{}, &sshpool.Error{NotStarted: true, Stderr: "Session open refused by peer"}
	}
	return c.Remote.Run(ctx, cmd)
}

// A build host that is down, unknown or out of its mind fails the host alone,
// with its name.
func TestBuildHostFails(t *testing.T) {
	failed := &nixcmd.BuildError{Failed: []nixcmd.FailedBuild{{Derivation: newSystem + ".drv", LogTail: []string{"no"}}}}
	for _, c := range []struct {
		name    string
		w       *world
		opt     DeployOptions
		outcome Outcome
		says    []string
	}{
		{"down", &world{down: map[string]bool{"b": true}}, DeployOptions{}, Unreachable, []string{"a: build: build host b: "}},
		{"unknown", &world{}, DeployOptions{BuildHost: "bb"}, Failed, []string{`there is no host "bb" to build on`, "did you mean b"}},
		{"an option", &world{}, DeployOptions{BuildHost: "--help"}, Failed, []string{`there is no host "--help" to build on`}},
		{"build failure", &world{fail: failed}, DeployOptions{}, Failed, []string{"cannot build ", " on b", "on b: nix log "}},
		{"other failure", &world{fail: errors.New("disk on fire")}, DeployOptions{}, Failed, []string{"build host b: disk on fire"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, hosts := fleetOf(t, c.w, threeOfThem+`build-host = "b"`)
			r := f.Deploy(t.Context(), hosts[1:], c.opt).Results[0]
			var e *StepError
			if !errors.As(r.Err, &e) || r.Outcome != c.outcome {
				t.Fatalf("%s: %v", r.Outcome, r.Err)
			}
			text := e.Error() + "\n" + strings.Join(e.Details, "\n") + "\n" + e.Hint
			for _, s := range c.says {
				if !strings.Contains(text, s) {
					t.Errorf("%q lacks %q", text, s)
				}
			}
			for _, d := range c.w.did {
				if strings.HasPrefix(d, "copy") || strings.HasPrefix(d, "run on a") {
					t.Errorf("did %q", c.w.did)
				}
			}
		})
	}
}

// In a fleet.toml without hosts, the flake says which may build.
func TestBuildHostOfTheFlake(t *testing.T) {
	w := &world{names: []string{"alpha", "beta"}}
	f, _ := fleetOf(t, w, "[defaults]\nuser = \"u\"\nbuild-host = \"beat\"\n")
	if _, err := f.Select(t.Context(), "alpha"); err == nil || !strings.Contains(err.Error(), `there is no host "beat" to build on; did you mean beta`) {
		t.Errorf("an unknown build host: %v", err)
	}
	f, _ = fleetOf(t, w, "[defaults]\nuser = \"u\"\nbuild-host = \"beta\"\n")
	hosts, err := f.Select(t.Context(), "alpha")
	if err != nil {
		t.Fatal(err)
	}
	f.Test(t.Context(), hosts, TestOptions{})
	if len(w.did) < 2 || w.did[1] != `build store="ssh-ng://u@beta?max-connections=1" ssh="to beta" link=false cache=""` {
		t.Errorf("did %q", w.did)
	}
}

// A build host takes so many builds at once and no more, and does not hold up
// those of others.
func TestBuildersAreBounded(t *testing.T) {
	var b builders
	for range mostPerBuilder {
		if _, err := b.acquire(t.Context(), "b"); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("stop"))
	if _, err := b.acquire(ctx, "b"); err == nil || err.Error() != "stop" {
		t.Errorf("one more: %v", err)
	}
	release, err := b.acquire(t.Context(), "c")
	if err != nil {
		t.Fatal(err)
	}
	release()
}

// Root is had by a fixed command, and the arguments stay arguments.
func TestRootScript(t *testing.T) {
	hostile := []string{"start", "$(id)", "-x", "a b; c"}
	for root, want := range map[Root][]string{
		RootAlready: nil, RootNo: nil,
		RootSudo: {"sudo", "-n", "sh", "-s", "--"}, RootDoas: {"doas", "-n", "sh", "-s", "--"},
		RootRun0: {"systemd-run", "--uid=0", "--pipe", "--wait", "--quiet", "--collect", "--service-type=exec",
			"--no-ask-password", "--expand-environment=no", "-p", "IgnoreSIGPIPE=no", "--", "sh", "-s", "--"},
	} {
		cmd := root.script("echo hi", hostile...)
		if !slices.Equal(cmd.Argv, append(want, hostile...)) {
			t.Errorf("%s: %q", root, cmd.Argv)
		}
		if want == nil && cmd.Script != "echo hi" || want != nil && cmd.Script != "" {
			t.Errorf("%s: script %q", root, cmd.Script)
		}
		if line := strings.Join(root.prefix(), " "); root.prefix() != nil && !strings.Contains(strings.ReplaceAll(surveyScript, "\\\n    ", ""), line) {
			t.Errorf("%s: the survey does not try %q", root, line)
		}
	}
}

// Substituters that do not answer are given up, with a word; a copy that has
// begun is not, however long it takes.
func TestSilentSubstituters(t *testing.T) {
	var warnings []string
	w := &world{copy: func(ctx context.Context, opt nixcmd.CopyOptions) error {
		if !opt.SubstituteOnDestination {
			return nil
		}
		<-ctx.Done()
		return fmt.Errorf("nix: %w", context.Cause(ctx))
	}}
	f, hosts := fleetOf(t, w, threeOfThem+"substitute-on-target = true\n")
	f.substituters = 1
	f.sink = SinkFunc(func(e Event) {
		if e.Kind == KindWarning {
			warnings = append(warnings, e.Text)
		}
	})
	f.Deploy(t.Context(), hosts[1:], DeployOptions{})
	if text := strings.Join(w.did, "\n"); !strings.Contains(text, "substitute=true\ncopy to=\"ssh-ng://a?max-connections=1\" ssh=\"to a\" substitute=false\nrun on a") {
		t.Errorf("did %q", w.did)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "did not answer within") {
		t.Errorf("warnings %q", warnings)
	}
}
