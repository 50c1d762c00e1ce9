package nixcmd

import (
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Lines are as the manual has them; what would be more than one word is refused.
func TestBuilderLines(t *testing.T) {
	for _, c := range []struct {
		builders []Builder
		want     string
	}{
		{[]Builder{}, ""},
		{[]Builder{{URL: "ssh-ng://p620"}}, "ssh-ng://p620?max-connections=1 - - 1 1 - - -"},
		{[]Builder{
			{URL: CopyURL("root", "10.0.0.1"), Systems: []string{"x86_64-linux", "i686-linux"}, SSHKey: "/root/key", MaxJobs: 4, SpeedFactor: 2,
				SupportedFeatures: []string{"kvm", "big-parallel"}, MandatoryFeatures: []string{"benchmark"}, PublicHostKey: "c3NoLWVkMjU1MTk="},
			{URL: "ssh://b?max-connections=3"},
		}, "ssh-ng://root@10.0.0.1?max-connections=1 x86_64-linux,i686-linux /root/key 4 2 kvm,big-parallel benchmark c3NoLWVkMjU1MTk= ; ssh://b?max-connections=3 - - 1 1 - - -"},
	} {
		got, err := buildersArg(c.builders)
		if err != nil || got != c.want {
			t.Errorf("%q, %v, want %q", got, err, c.want)
		}
	}
	for _, bad := range []Builder{
		{}, {URL: "ssh-ng://-oProxyCommand=id"}, {URL: "ssh-ng://a b"}, {URL: "ssh-ng://a", SSHKey: "/a key"}, {URL: "ssh-ng://a", Systems: []string{"x;ssh-ng://evil"}},
		{URL: "ssh-ng://a", SupportedFeatures: []string{"kvm\nssh-ng://evil"}}, {URL: "ssh-ng://a", PublicHostKey: "not base64"},
	} {
		if got, err := buildersArg([]Builder{bad}); err == nil {
			t.Errorf("%+v: %q", bad, got)
		}
	}
}

// nil leaves nix.conf's builders alone, none at all is another thing.
func TestBuildersOfABuild(t *testing.T) {
	drv := []string{"/nix/store/22222222222222222222222222222222-x.drv^*"}
	for _, c := range []struct {
		builders []Builder
		want     string
	}{{nil, ""}, {[]Builder{}, "--builders  --log"}, {[]Builder{{URL: "ssh-ng://a"}}, "--builders ssh-ng://a?max-connections=1 - - 1 1 - - - --log"}} {
		argv, err := Config{Program: "nix"}.buildArgs(drv, BuildOptions{Builders: c.builders})
		line := strings.Join(argv, " ")
		if err != nil || !strings.Contains(line, c.want) || strings.Contains(line, "--builders") != (c.want != "") {
			t.Errorf("%s, %v", line, err)
		}
	}
}

// What a copy on another machine is told, and what its words are read as.
func TestRemoteCopy(t *testing.T) {
	args, err := RemoteCopyArgs([]StorePath{"/nix/store/33333333333333333333333333333333-x"}, CopyOptions{To: CopyURL("u", "h"), NoCheckSigs: true})
	if line := strings.Join(args, " "); err != nil || line != "copy --extra-experimental-features nix-command flakes --no-check-sigs --log-format raw --to ssh-ng://u@h?max-connections=1 -- /nix/store/33333333333333333333333333333333-x" {
		t.Errorf("%s, %v", line, err)
	}
	if _, err := RemoteCopyArgs([]StorePath{"-x"}, CopyOptions{To: CopyURL("u", "h")}); err == nil {
		t.Error("an option is no path")
	}
	var last CopyEvent
	log := NewCopyLog(func(e CopyEvent) { last = e })
	log.Line("copying 2 paths...")
	log.Line("copying path '/nix/store/33333333333333333333333333333333-x' to 'ssh-ng://u@h'...")
	if last.Expected != 2 || last.Path.Name() != "x" {
		t.Errorf("%+v", last)
	}
	if m := CopyMessage("copying 2 paths...\n\x1b[31;1merror:\x1b[0m no room\n"); m != "no room" {
		t.Errorf("%q", m)
	}
}

// What must be had of a machine, in both of the places and forms that Nix shows it in.
func TestDerivationNeeds(t *testing.T) {
	const shown = `{"/nix/store/22222222222222222222222222222222-a.drv":{"system":"aarch64-linux","env":{"requiredSystemFeatures":"kvm big-parallel"},"outputs":{"out":{"path":"/nix/store/33333333333333333333333333333333-a"}}},
	"/nix/store/44444444444444444444444444444444-b.drv":{"system":"x86_64-linux","env":{"__json":"{\"requiredSystemFeatures\":[\"nixos-test\"]}"},"outputs":{"out":{"path":"/nix/store/55555555555555555555555555555555-b"}}}}`
	all, err := parseDerivations([]byte(shown))
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	if d := all[0]; d.System != "aarch64-linux" || strings.Join(d.RequiredFeatures, " ") != "kvm big-parallel" {
		t.Errorf("%+v", d)
	}
	if d := all[1]; strings.Join(d.RequiredFeatures, " ") != "nixos-test" {
		t.Errorf("%+v", d)
	}
	s := Settings{Systems: []string{"x86_64-linux"}, Features: []string{"kvm"}}
	for _, c := range []struct {
		system   string
		features []string
		want     bool
	}{{"x86_64-linux", nil, true}, {"x86_64-linux", []string{"kvm"}, true}, {"x86_64-linux", []string{"kvm", "x"}, false}, {"aarch64-linux", nil, false}, {"builtin", nil, true}} {
		if s.Builds(c.system, c.features) != c.want {
			t.Errorf("%+v", c)
		}
	}
}

// What remote builders say of their own builds is part of this machine's: each derivation
// begins once, on the machine that builds it, its log is that machine's, and it is counted
// once and fails once.
func TestBuildsOnBuilders(t *testing.T) {
	read := func(name string) (g *buildLog, machines map[string]string, logs []string) {
		r, err := readRecording("testdata/2.26.3/" + name + ".txtar")
		if err != nil {
			t.Fatal(err)
		}
		machines = map[string]string{}
		g = newBuildLog(func(e BuildEvent) {
			switch name := e.Derivation.Name(); e.Kind {
			case BuildStarted:
				if _, again := machines[name]; again {
					t.Errorf("%s begins twice", name)
				}
				machines[name] = e.Machine
			case BuildLog:
				logs = append(logs, name+": "+e.Text)
			}
		})
		for line := range strings.Lines(r.stderr) {
			g.line(strings.TrimSuffix(line, "\n"))
		}
		return g, machines, logs
	}
	g, machines, logs := read("build-builders")
	want := map[string]string{"lab-raw-a-1.drv": "ssh-ng://root@p620", "lab-raw-b-1.drv": "ssh-ng://root@dex5550", "system-path.drv": "", "nixos-system-p510-26.05.miniature.drv": ""}
	if !maps.Equal(machines, want) || !slices.Equal(slices.Compact(slices.Sorted(slices.Values(logs))), []string{"lab-raw-a-1.drv: hello", "lab-raw-b-1.drv: b"}) {
		t.Errorf("%v, logs %q", machines, logs)
	}
	if n := g.totals; n.BuildsDone != 4 || n.BuildsExpected != 4 || n.BuildsRunning != 0 || n.BuildsFailed != 0 || len(g.failed) > 0 {
		t.Errorf("%+v, failed %v", n, g.failed)
	}
	g, machines, _ = read("build-builders-failing")
	if len(g.failed) != 1 || g.failed[0].Derivation.Name() != "lab-raw-c-1.drv" || !slices.Equal(g.failed[0].LogTail, []string{"failing"}) || machines["lab-raw-c-1.drv"] != "ssh-ng://root@p620" {
		t.Errorf("failed %+v, %v", g.failed, machines)
	}
	if n := g.totals; n.BuildsRunning != 0 || n.BuildsFailed != 1 {
		t.Errorf("%+v", n)
	}
}

// Whether a build failed on a builder, or the builder's Nix ended in the middle of it, is told
// by whether that had said so before this machine's Nix gave the build up.
func TestBuildsBrokenOff(t *testing.T) {
	read := func(recording string, leaveOut func(line string) bool) FailedBuild {
		t.Helper()
		r, err := readRecording("testdata/" + recording + ".txtar")
		if err != nil {
			t.Fatal(err)
		}
		g := newBuildLog(nil)
		for line := range strings.Lines(r.stderr) {
			if !leaveOut(line) {
				g.line(strings.TrimSuffix(line, "\n"))
			}
		}
		e := g.explain(nil, "", &Error{})
		if len(e.Failed) != 1 || e.Failed[0].Machine != "ssh-ng://root@razer" && e.Failed[0].Machine != "ssh-ng://root@p620" {
			t.Fatalf("%s: failed %+v", recording, e.Failed)
		}
		return e.Failed[0]
	}
	none := func(string) bool { return false }
	for recording, want := range map[string]bool{
		"2.26.3/build-builders-broken-off": true, "2.34.8/build-builders-broken-off": true,
		"2.26.3/build-builders-failing": false, "2.34.8/build-builders-failing": false,
	} {
		if f := read(recording, none); f.BrokenOff != want {
			t.Errorf("%s: %+v", recording, f)
		}
	}
	// While inputs are sent nothing is begun there.
	for _, version := range []string{"2.26.3", "2.34.8"} {
		inner := ""
		f := read(version+"/build-builders-broken-off", func(line string) bool {
			if _, id, ok := strings.Cut(line, `-lab-raw-d-1.drv","",1,1],"id":`); ok {
				inner, _, _ = strings.Cut(id, ",")
			}
			return inner != "" && strings.Contains(line, `"id":`+inner)
		})
		if inner == "" || !f.BrokenOff || len(f.LogTail) > 0 {
			t.Errorf("%s: %+v", version, f)
		}
	}
	a, b := FailedBuild{Derivation: "a", BrokenOff: true}, FailedBuild{Derivation: "b"}
	if e := (&buildLog{failed: []FailedBuild{a, b}}).explain(nil, "", &Error{}); e.Failed[0].Derivation != "b" {
		t.Errorf("first %+v", e.Failed)
	}
	r, err := readRecording("testdata/2.26.3/build-failing.txtar")
	if err != nil {
		t.Fatal(err)
	}
	g := newBuildLog(nil)
	for line := range strings.Lines(r.stderr) {
		g.line(strings.TrimSuffix(line, "\n"))
	}
	if len(g.failed) == 0 || g.failed[0].BrokenOff || g.failed[0].Machine != "" {
		t.Errorf("here: %+v", g.failed)
	}
}

// What comes from another machine goes through a daemon where one listens, and through none
// where it does not, or where the user has chosen another store.
func TestFetchThroughTheDaemon(t *testing.T) {
	sock := filepath.Join(t.TempDir(), "socket")
	ask := func(env ...string) bool {
		c := New(Config{Program: "nix", Env: append(env, "NIX_DAEMON_SOCKET_PATH="+sock)})
		argv, err := c.fetchArgs([]StorePath{"/nix/store/33333333333333333333333333333333-x"}, FetchOptions{From: CopyURL("u", "h")})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(strings.Join(argv, " "), " --from ssh-ng://u@h?max-connections=1 --to daemon -- /nix")
	}
	if ask("NIX_REMOTE=") {
		t.Error("nobody listens")
	}
	l, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if argv, err := New(Config{Program: "nix"}).fetchArgs([]StorePath{"/nix/store/33333333333333333333333333333333-x"}, FetchOptions{From: CopyURL("u", "h"), Mark: "m1"}); err != nil ||
		!slices.Contains(argv, "ssh-ng://u@h?max-connections=1&remote-program=env%20FLOTILLA_COPY%3Dm1%20nix-daemon") {
		t.Errorf("%v: %q has no mark", err, argv)
	}
	if !ask("NIX_REMOTE=") || !ask("NIX_REMOTE=daemon") || ask("NIX_REMOTE=/other/store") || ask("NIX_REMOTE=local") {
		t.Error("a daemon listens")
	}
}
